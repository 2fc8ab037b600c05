"""One subject a file: what is asked of the API, and which template shows it."""
