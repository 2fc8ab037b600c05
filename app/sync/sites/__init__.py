"""Jira sites: registration, checks, credentials and key rotation."""
