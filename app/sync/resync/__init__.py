"""What asks for looks in bulk: resyncs, polls, shadow revisions, the pass after a long pause."""
