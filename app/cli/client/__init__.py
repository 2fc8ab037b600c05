"""The client of the REST API that the commands share, and the files in the data directory."""
