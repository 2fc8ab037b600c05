"""What the monitor reads and remembers."""
