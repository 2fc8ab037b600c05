"""Recorded decisions: their inputs as text, which of them are kept, and what other code answers."""
