"""The guard: judging removals, holding them in plans, and counting mirrors that vanish."""
