"""One noun a file: the commands of `twinlink`."""
