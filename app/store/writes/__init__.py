"""Intents, the audit and plans: what is written about each change in Jira."""
