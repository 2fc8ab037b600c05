"""What the guard counts and holds."""
