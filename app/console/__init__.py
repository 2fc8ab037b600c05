"""The console: pages for the Jira administrator and the person on call.

Every page is a client of the REST API, called inside the process with the signed-in token's
rights: the console has no rule, no number and no permission of its own. Pages are rendered here,
work without scripts, and are refreshed in place where a script may run.
"""
