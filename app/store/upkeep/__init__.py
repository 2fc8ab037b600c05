"""Purging, circuits, database identity and verification runs."""
