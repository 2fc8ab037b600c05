"""The worker's loop: claim, look, decide, act, settle; and the same look explained to a person."""
