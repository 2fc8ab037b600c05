"""The subset of JQL that the sandbox understands."""
