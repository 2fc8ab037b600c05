"""Connections: creating, changing, switching and showing them, and their revisions."""
