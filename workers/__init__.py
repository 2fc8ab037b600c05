"""The worker process: arq's jobs, each a pass, and timers."""
