"""HTTP itself: bodies, problems, pages, idempotency, ETags, limits."""
