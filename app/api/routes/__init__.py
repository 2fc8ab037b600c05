"""One noun a file: load, call one use case, map the outcome."""
