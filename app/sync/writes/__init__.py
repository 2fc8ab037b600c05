"""Every write to Jira: the intent, the request, the read-back, the outcome. The DELETE is here."""
