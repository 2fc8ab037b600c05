"""What our account may do in the projects of connections, asked of Jira."""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.core.config import ConnectionConfig
from app.core.errors import TwinlinkError
from app.core.links import ProjectKey, Side
from app.jira.client import JiraClient
from app.jira.projects import ProjectAccess
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.check import Finding

AT_ONCE = 8
IN_TIME = 10.0
"""Seconds for all projects of a site: a person waits for the answer."""


@dataclass(frozen=True, slots=True)
class Need:
    """*written*: links may be made there, so that the account needs *Link issues* too."""

    project: ProjectKey
    written: bool


@dataclass(frozen=True, slots=True)
class Look:
    """`hidden`: Jira shows us no such project. `findings` names these too."""

    hidden: tuple[ProjectKey, ...] = ()
    findings: tuple[Finding, ...] = ()


def needs(config: ConnectionConfig, side: Side) -> list[Need]:
    """What a connection needs on one of its sites."""
    written = config.direction.allows_origin(side.other)
    return [Need(key, written) for key in config.end(side).projects]


def joined(wanted: Iterable[Need]) -> list[Need]:
    """Each project once, with the most that any connection needs in it."""
    written: dict[ProjectKey, bool] = {}
    for need in wanted:
        written[need.project] = written.get(need.project, False) or need.written
    return [Need(key, written[key]) for key in sorted(written)]


async def look(client: JiraClient, wanted: Sequence[Need]) -> Look:
    """Ask Jira about each. A site that fails is asked no further, and a finding says so."""
    trouble: list[str] = []

    async def one(need: Need) -> ProjectAccess | None:
        if trouble:
            return None
        try:
            return await client.project_access(need.project)
        except TwinlinkError as error:
            trouble.append(error.code)
            return None

    try:
        async with asyncio.timeout(IN_TIME):
            found = await side_by_side(AT_ONCE, one, wanted)
    except TimeoutError:
        return Look(findings=(unchecked("timeout"),))
    findings: list[Finding] = []
    for need, access in zip(wanted, found, strict=True):
        findings += () if access is None else _findings(need, access)
    findings += [unchecked(code) for code in trouble[:1]]
    hidden = tuple(it.asked for it in found if it is not None and it.key is None)
    return Look(hidden, tuple(findings))


def unchecked(code: str) -> Finding:
    detail = f"the site could not be asked about its projects: {code}; check it again later"
    return Finding("projects_unchecked", "warning", detail)


async def near(client: JiraClient, key: ProjectKey) -> list[ProjectKey]:
    """Projects that Jira shows us whose keys look like *key*; none where it does not answer."""
    with suppress(TwinlinkError, TimeoutError):
        async with asyncio.timeout(IN_TIME):
            shown = [project.key for project in await client.projects()]
            return [ProjectKey(it) for it in difflib.get_close_matches(key, shown, n=3)]
    return []


def _findings(need: Need, access: ProjectAccess) -> Iterable[Finding]:
    key = need.project
    if access.key is None:
        detail = (
            f"Jira shows our account no project {key}: it is mistyped, deleted, or hidden from the"
            " account; its links count as unknown"
        )
        yield Finding("project_unseen", "error", detail)
        return
    if access.key != key:
        detail = f"{key} is called {access.key} now: name it so in the connection"
        yield Finding("project_renamed", "warning", detail)
    if access.archived:
        yield Finding("project_archived", "warning", f"{key} is archived: its issues do not change")
    if not access.browse:
        detail = f"the account lacks Browse projects in {key}: its links count as unknown"
        yield Finding("browse_not_permitted", "error", detail)
    if need.written and not access.link:
        detail = f"the account lacks Link issues in {key}: no link is made or removed there"
        yield Finding("link_not_permitted", "error", detail)
