"""The worker process: arq wake-ups and upkeep timers."""
