"""From a webhook to committed work: verification, group commit, wake-ups."""
