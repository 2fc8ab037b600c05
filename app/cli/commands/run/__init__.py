"""Commands that run a process on this machine, or look at what it is set up to run."""
