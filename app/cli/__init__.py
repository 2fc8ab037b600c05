"""The command `twinlink`: one file per noun.

Nouns call the REST API like any other client. The exceptions start the service (`up`, `api`,
`worker`, `migrate`), check its database and Redis (`doctor`), or need its secret key (`secrets`,
`webhooks`). Answers go to standard output, prompts, notes and errors to standard error.
"""
