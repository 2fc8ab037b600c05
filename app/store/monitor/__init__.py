"""The tables of the monitor: issues to read, progress, findings."""
