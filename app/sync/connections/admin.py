"""Creating and changing connections. Every change of the configuration is a new revision."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from app.core.config import ConnectionConfig, Problem, problems
from app.core.connection.projects import followed
from app.core.errors import PermanentError, TransientError
from app.core.links import LinkType, ProjectKey, Side
from app.jira.client import JiraClient
from app.store.config import connections, project_pins, site_types, sites
from app.store.config.connections import ConnectionRow
from app.store.config.sites import SiteRow
from app.store.links import twins
from app.store.pool import Connection, Database
from app.sync.connections.spec import ConnectionSpec, find, overlaps, renamed, resolve
from app.sync.runtime.jira_clients import Sites
from app.sync.runtime.refusals import Refused, invalid, site_failed
from app.sync.sites import link_types, projects
from app.sync.sites.check import Finding

_LOG = structlog.get_logger(__name__)

Expect = Callable[[int | None], None]
"""Raises where this is not the revision that the caller means to replace."""


class Compare(Protocol):
    """Queues a look at all twins of a connection."""

    def __call__(self, connection_id: int, *, cause: str, by: str) -> Awaitable[int]: ...


@dataclass(frozen=True, slots=True)
class Put:
    """`changed` is False where the body was what is stored already. `findings` say what the
    account may not do in the projects, by side."""

    connection: ConnectionRow
    created: bool
    changed: bool
    findings: Mapping[Side, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class ConnectionAdmin:
    database: Database
    sites: Sites
    compare: Compare

    async def put(
        self,
        name: str,
        spec: ConnectionSpec,
        *,
        author: str,
        expect: Expect,
        now: datetime,
        note: str = "",
    ) -> Put:
        """Raises `Refused`, and `TransientError` where a site had to be asked and is away."""
        ends, config = await self.resolve(spec)
        seen = await self._look(name, ends, config)
        findings = {
            side: (*seen[side].findings, *renamed(spec.link_types, config.link_types, side))
            for side in Side
        }
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            await connections.lock_admin(conn)
            await _refuse_lost_sites(conn, ends)
            current = await connections.lock(conn, name)
            expect(None if current is None else current.revision)
            site_ids = {side: ends[side].id for side in Side}
            await refuse_conflicts(conn, name, site_ids, current, config)
            before = None if current is None else current.config.respelled(config.type_on)
            changed = before != config
            if current is None:
                pair = (site_ids[Side.LEFT], site_ids[Side.RIGHT])
                await connections.insert(conn, name, pair, config, author=author, now=now)
            elif changed:
                await connections.append_revision(
                    conn, current.id, config, author=author, note=note, now=now
                )
            stored = await connections.by_name(conn, name)
            if stored is None:
                raise Refused("concurrent_change")
            for side in Side:
                await project_pins.put(conn, stored.id, side, seen[side].pins, now)
            count = await twins.count(conn, stored.id)
        if before is not None and count and scope_of(before) != scope_of(config):
            await self.compare(stored.id, cause="revision", by=author)
        if changed:
            _LOG.info("connection_put", connection=name, revision=stored.revision, by=author)
        return Put(stored, current is None, changed, findings)

    async def resolve(self, spec: ConnectionSpec) -> tuple[dict[Side, SiteRow], ConnectionConfig]:
        """The sites and link types that it names; raises as `put` does."""
        ends = await self._sites(spec)
        return ends, await self._config(spec, ends)

    async def _sites(self, spec: ConnectionSpec) -> dict[Side, SiteRow]:
        ends: dict[Side, SiteRow] = {}
        async with self.database.connection() as conn:
            for side in Side:
                row = await sites.by_name(conn, spec.end(side).site)
                if row is not None:
                    ends[side] = row
        missing = [
            Problem(f"/{side.value}/site", "there is no such site")
            for side in Side
            if side not in ends
        ]
        if missing:
            raise invalid(*missing)
        return ends

    async def _config(self, spec: ConnectionSpec, ends: dict[Side, SiteRow]) -> ConnectionConfig:
        types = {
            side: await self._types(ends[side], [wish.on(side) for wish in spec.link_types])
            for side in Side
        }
        pairs, unknown = resolve(spec.link_types, types)
        config = spec.config(pairs)
        # Without all its pairs the map would only seem to break further rules.
        found = [p for p in problems(config) if not (unknown and p.pointer.startswith("/link_"))]
        if unknown or found:
            raise invalid(*unknown, *found)
        return config

    async def _look(
        self, name: str, ends: Mapping[Side, SiteRow], config: ConnectionConfig
    ) -> dict[Side, projects.Look]:
        """What the account may do in the projects. One that Jira does not show is refused where
        the connection does not have it yet: one that is hidden since keeps no other change from
        being stored."""
        async with self.database.connection() as conn:
            current = await connections.by_name(conn, name)
            pins = await project_pins.of_connection(conn, 0 if current is None else current.id)
        looks: dict[Side, projects.Look] = {}
        refused: list[Problem] = []
        for side in Side:
            had = () if current is None else current.config.end(side).projects
            try:
                client = await self.sites.client(ends[side].id)
            except (TransientError, PermanentError) as error:
                looks[side] = projects.Look(findings=(projects.unchecked(error.code),))
                continue
            seen = await projects.look(client, projects.needs(config, side, pins[side]))
            looks[side] = seen
            refused += [
                await _no_project(client, side, at, key)
                for at, key in enumerate(config.end(side).projects)
                if key in seen.hidden and key not in had
            ]
        if refused:
            raise invalid(*refused)
        return looks

    async def _types(self, site: SiteRow, wanted: Sequence[str]) -> list[LinkType]:
        """As the site spells them now; as stored where it does not answer and none is missing."""
        failure: TransientError | PermanentError | None = None
        try:
            async with asyncio.timeout(projects.IN_TIME):
                client = await self.sites.client(site.id)
                if site.pinned:
                    await client.assure()
                await link_types.follow(self.database, site.id, await client.link_types())
        except TimeoutError:
            failure = TransientError("timeout")
        except (TransientError, PermanentError) as error:
            failure = error
        async with self.database.connection() as conn:
            types = await site_types.of_site(conn, site.id)
        if failure is not None and not all(find(name, types) for name in wanted):
            raise site_failed(failure, site=site.name) from failure
        return types


async def _no_project(client: JiraClient, side: Side, at: int, key: ProjectKey) -> Problem:
    like = await projects.near(client, key)
    hint = f"; it shows {', '.join(like)}" if like else ""
    detail = f"Jira shows our account no project {key}{hint}"
    return Problem(f"/{side.value}/projects/{at}", detail)


def scope_of(config: ConnectionConfig) -> tuple[object, ...]:
    """What decides which links are looked at: a change of it concerns every twin."""
    return (config.left, config.right, config.direction, config.link_types)


async def _refuse_lost_sites(conn: Connection, ends: dict[Side, SiteRow]) -> None:
    """A site may have been deleted since it was read; from here on it cannot be."""
    for site in ends.values():
        if await sites.by_id(conn, site.id) is None:
            raise Refused("concurrent_change")


async def refuse_conflicts(
    conn: Connection,
    name: str,
    ends: dict[Side, int],
    current: ConnectionRow | None,
    config: ConnectionConfig,
) -> None:
    """*ends* are the ids of its sites. Raises `Refused`."""
    if current is not None:
        moved = [side for side in Side if current.site_id(side) != ends[side]]
        if moved:
            # Its twins and its ledger name issues of the sites that it has.
            at = [Problem(f"/{side.value}/site", "cannot be changed") for side in moved]
            raise Refused("sites_fixed", problems=tuple(at))
    now = await _followed(conn, 0 if current is None else current.id, config)
    for other in await connections.between(conn, ends[Side.LEFT], ends[Side.RIGHT]):
        if other.name == name:
            continue
        if overlaps(now, await _followed(conn, other.id, other.config)):
            raise Refused("projects_connected", f"the connection {other.name} does")


async def _followed(
    conn: Connection, connection_id: int, config: ConnectionConfig
) -> ConnectionConfig:
    """By the keys that its projects have now: two keys may mean one project."""
    return followed(config, await project_pins.of_connection(conn, connection_id))
