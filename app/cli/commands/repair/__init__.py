"""Commands that put back, take back or take over what was written."""
