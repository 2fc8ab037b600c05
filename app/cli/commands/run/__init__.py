"""Commands that run a process on this machine, or check its setup."""
