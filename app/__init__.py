"""Twinlink keeps issue links in step between Jira sites."""

__version__ = "0.1.0"
