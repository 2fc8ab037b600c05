"""Sites, connections, revisions and secrets: what administrators configure."""
