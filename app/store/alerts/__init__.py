"""Incidents, the conditions that open them, and the outbox of notifications."""
