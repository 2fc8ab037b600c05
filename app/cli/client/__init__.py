"""The REST API as the commands use it, and what they keep on this machine."""
