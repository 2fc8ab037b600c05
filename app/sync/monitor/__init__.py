"""The monitor: checks removals in Jira's changelog without trusting the code that made them."""
