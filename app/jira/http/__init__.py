"""One HTTP connection to a Jira: requests, responses, errors, the address guard."""
