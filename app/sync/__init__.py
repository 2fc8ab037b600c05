"""Use cases: load, decide with `core`, act. They take what they need as arguments."""
