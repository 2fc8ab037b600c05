"""What our account may do in the projects of connections, asked of Jira."""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.core.config import ConnectionConfig
from app.core.connection.projects import Pin
from app.core.errors import TwinlinkError
from app.core.links import ProjectId, ProjectKey, Side
from app.jira.client import JiraClient
from app.jira.projects import ProjectAccess
from app.store.config import connections, project_pins
from app.store.config.connections import ConnectionRow
from app.store.config.sites import SiteRow
from app.store.pool import Connection
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.check import Finding

AT_ONCE = 8
IN_TIME = 10.0
"""Seconds for all projects of a site: a person waits for the answer."""


@dataclass(frozen=True, slots=True)
class Need:
    """*written*: links may be made there, so that the account needs *Link issues* too. *pinned*:
    the id of the project that the key is known to mean."""

    project: ProjectKey
    written: bool
    pinned: ProjectId | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """`hidden`: Jira shows us no such project. `findings` names these too. `pins` say which project
    each of the others is."""

    hidden: tuple[ProjectKey, ...] = ()
    findings: tuple[Finding, ...] = ()
    pins: tuple[Pin, ...] = ()


def needs(config: ConnectionConfig, side: Side, pins: Iterable[Pin]) -> list[Need]:
    """What a connection needs on one of its sites."""
    written = config.direction.allows_origin(side.other)
    known = {pin.configured: pin.id for pin in pins}
    return [Need(key, written, known.get(key)) for key in config.end(side).projects]


def joined(wanted: Iterable[Need]) -> list[Need]:
    """Each project once, with the most that any connection needs in it."""
    written: dict[tuple[ProjectKey, ProjectId | None], bool] = {}
    for need in wanted:
        place = (need.project, need.pinned)
        written[place] = written.get(place, False) or need.written
    return [
        Need(key, written[key, pinned], pinned)
        for key, pinned in sorted(written, key=lambda it: (it[0], it[1] or ""))
    ]


async def look(client: JiraClient, wanted: Sequence[Need]) -> Look:
    """Ask Jira about each. A site that fails is asked no further, and a finding says so."""
    trouble: list[str] = []

    async def one(need: Need) -> ProjectAccess | None:
        if trouble:
            return None
        try:
            return await client.project_access(need.pinned or need.project)
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
    asked = [(need, it) for need, it in zip(wanted, found, strict=True) if it is not None]
    return Look(
        tuple(need.project for need, it in asked if it.key is None),
        tuple(findings),
        tuple(
            Pin(need.project, it.id, it.key)
            for need, it in asked
            if it.key is not None and it.id is not None
        ),
    )


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
        detail = f"{key} is called {access.key} now, and followed; name it so in the connection"
        yield Finding("project_renamed", "warning", detail)
    if access.archived:
        yield Finding("project_archived", "warning", f"{key} is archived: its issues do not change")
    if not access.browse:
        detail = f"the account lacks Browse projects in {key}: its links count as unknown"
        yield Finding("browse_not_permitted", "error", detail)
    if need.written and not access.link:
        detail = f"the account lacks Link issues in {key}: no link is made or removed there"
        yield Finding("link_not_permitted", "error", detail)


async def joining(
    conn: Connection, site: SiteRow
) -> list[tuple[ConnectionRow, Side, tuple[Pin, ...]]]:
    """The connections that join the site, each with its side of it and what is pinned there."""
    ids = await connections.of_site(conn, site.id)
    rows = [row for it in ids if (row := await connections.by_id(conn, it)) is not None]
    return [
        (row, side, (await project_pins.of_connection(conn, row.id))[side])
        for row in rows
        for side in Side
        if row.site_id(side) == site.id
    ]
