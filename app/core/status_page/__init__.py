"""The public status page as values."""
