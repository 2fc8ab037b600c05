"""Bodies and answers of the API, one noun per file."""
