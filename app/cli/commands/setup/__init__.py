"""Commands that set up connections: from options, files, or step by step."""
