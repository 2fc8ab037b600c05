"""Which issues are twins: pairing, and how a pair ends or comes back."""
