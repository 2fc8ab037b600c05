"""Read models for people and machines: what the API, the console and the CLI show."""
