"""The sandbox's REST resources, one family a file."""
