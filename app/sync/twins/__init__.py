"""Which issues are twins: pairing, discovery by field, and letting pairs go."""
