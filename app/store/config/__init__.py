"""Sites, connections, revisions, tokens and secrets: what administrators configure."""
