"""What commands print, the options that they share, and their exit codes."""
