"""The inbox, the work queue, polls and resyncs."""
