"""Intents, the audit and plans: the records of each change in Jira."""
