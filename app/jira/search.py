"""Searches of projects, for polling and for full comparisons.

Jira refuses a whole search with 400 where it does not show us one of its projects: a typo, or one
that was renamed, archived, hidden or deleted (jira-facts section 11). Which one it is, its text
says in the language of the site; here the search is split until the project is alone.
"""

import math
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from app.core.errors import PermanentError
from app.core.evidence import IssueView
from app.core.links import ProjectKey
from app.jira.bulk_read import parsed
from app.jira.deployment import Flavour
from app.jira.payloads import PROJECT_KEY, Wanted


async def search_projects(
    flavour: Flavour,
    projects: Sequence[ProjectKey],
    wanted: Wanted,
    *,
    updated_since: datetime | None,
    now: datetime,
    unseen: set[ProjectKey] | None,
) -> AsyncIterator[list[IssueView]]:
    """All issues of *projects*, page by page. Projects that Jira refuses to search enter *unseen*;
    those that it shows leave it. Each project that is in it at the start has a search of its own.
    Without *unseen*, a refusal is raised."""
    known = unseen or set()
    pending = [[key] for key in projects if key in known]
    pending.append([key for key in projects if key not in known])
    while pending:
        group = pending.pop()
        if not group:
            continue
        begun = False
        try:
            async for page in flavour.pages(project_search(group, updated_since, now), wanted):
                begun = True
                yield parsed(page, wanted, flavour.shape)
        except PermanentError as error:
            if unseen is None or begun or error.facts.get("status") != 400:
                raise
            middle = len(group) // 2
            if middle:
                pending += [group[:middle], group[middle:]]
            else:
                unseen.update(group)
        else:
            if unseen is not None:
                unseen.difference_update(group)


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
