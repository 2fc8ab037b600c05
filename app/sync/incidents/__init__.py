"""Incidents: their timeline, the conditions that open and close them, and notifications."""
