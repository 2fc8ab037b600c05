"""One look at twin pairs: what both sides show, and what the ledger learns from it."""
