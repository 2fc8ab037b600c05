"""The JQL of polling and of full comparisons."""

import math
from collections.abc import Sequence
from datetime import datetime

from app.core.errors import PermanentError
from app.core.links import ProjectKey
from app.jira.payloads import PROJECT_KEY


def project_search(
    projects: Sequence[ProjectKey], updated_since: datetime | None, now: datetime
) -> str:
    """Issues of *projects*, bounded as Cloud demands, in an order that updates do not change.

    JQL reads a date in the time zone of the account's profile, which we do not know, so the
    time is given as minutes before now, rounded up. A clock that differs from Jira's is the
    business of the caller's overlap.
    """
    for key in projects:
        if not PROJECT_KEY.fullmatch(key):
            raise PermanentError("bad_project_key")
    clause = ", ".join(f'"{key}"' for key in projects)
    jql = f"project in ({clause})"
    if updated_since is not None:
        minutes = max(1, math.ceil((now - updated_since).total_seconds() / 60) + 1)
        jql += f" AND updated >= -{minutes}m"
    return jql + " ORDER BY key ASC"
