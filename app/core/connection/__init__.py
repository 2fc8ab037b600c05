"""A connection at work: what its mode allows, and which projects it covers."""
