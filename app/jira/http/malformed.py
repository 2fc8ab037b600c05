"""The only exception of the parsers. It stays inside this package."""


class MalformedError(ValueError):
    """Jira sent a value whose meaning is not certain. Names the part, never its content."""
