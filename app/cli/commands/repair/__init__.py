"""Commands that put back, undo or take over links."""
