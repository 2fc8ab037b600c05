"""What every process needs, whichever face it shows: stopping, exit codes, garbage collection."""
