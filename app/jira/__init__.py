"""Jira's REST API and webhooks, as core values.

One client per site, one pooled connection set, two deployments (Cloud v3, Data Center v2) behind
one interface. This package translates: status codes into `core.errors`, bodies into
`core.evidence`. It decides nothing, stores nothing, and no text of an issue leaves it.

What it cannot read with certainty it reports as unread, malformed or an error. It never guesses,
because a wrong guess here becomes a removed link three layers up.
"""
