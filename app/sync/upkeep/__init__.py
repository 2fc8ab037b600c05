"""What keeps an installation healthy: purge, gauges, circuits, identity, the audit chain."""
