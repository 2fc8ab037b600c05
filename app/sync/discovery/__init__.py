"""Twins from a custom field: which issues claim which, and what follows for their pairs."""
