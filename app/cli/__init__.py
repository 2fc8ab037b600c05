"""The command `twinlink`: one file per noun.

Nouns speak to the REST API like any other client. Only what starts the service (`up`, `api`,
`worker`, `migrate`), what looks at it from below (`doctor`), and `webhooks`, which has no route,
touch anything else. Standard output holds answers, standard error everything said beside them.
"""
