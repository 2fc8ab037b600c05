"""Revisions beyond a plain PUT: with a note, in shadow, and rolling back.

A roll-back is the call of three in the morning: it asks the sites only whether the link types
still exist, and takes what is stored where they do not answer soon.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from app.core.config import ConnectionConfig, Problem, TypePair, problems
from app.core.errors import PermanentError, TransientError
from app.core.links import LinkType, Side
from app.store.config import connections, revisions, site_types
from app.store.config.connections import ConnectionRow
from app.store.config.revisions import Revision
from app.store.links import twins
from app.store.pool import Connection
from app.store.queue import resyncs
from app.sync.connections.admin import ConnectionAdmin, Put, refuse_conflicts, scope_of
from app.sync.connections.spec import ConnectionSpec
from app.sync.recovery import restore
from app.sync.runtime.refusals import Refused, invalid

_LOG = structlog.get_logger(__name__)

# The person who rolls back waits for it.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`plan_id` of the plan that undoes; None if that was not asked for or finds nothing."""

    connection: ConnectionRow
    plan_id: int | None


@dataclass(frozen=True, slots=True)
class Revisions:
    admin: ConnectionAdmin
    wake: Callable[[], None]

    async def append(
        self, name: str, spec: ConnectionSpec, *, note: str, author: str, now: datetime
    ) -> Put:
        """Active at once, as by PUT; the same configuration changes nothing."""
        return await self.admin.put(name, spec, author=author, expect=_exists, now=now, note=note)

    async def try_out(
        self, name: str, spec: ConnectionSpec, *, note: str, author: str, now: datetime
    ) -> int:
        """Store it in shadow and queue the walk that compares its plan with the active one's;
        answers its number. Twins are those that are paired now."""
        ends, config = await self.admin.resolve(spec)
        async with self.admin.database.transaction() as conn:
            row = await _locked(conn, name)
            await refuse_conflicts(conn, name, {side: ends[side].id for side in Side}, row, config)
            number = await revisions.shelve(conn, row.id, config, author=author, note=note, now=now)
            total = await twins.count(conn, row.id)
            await resyncs.insert_trial(
                conn, row.id, number, row.revision, requested_by=author, total=total, now=now
            )
        self.wake()
        _LOG.info("revision_tried", connection=name, revision=number, by=author)
        return number

    async def roll_back(
        self,
        name: str,
        number: int,
        *,
        undo: bool,
        note: str,
        by: str,
        may_widen: bool,
        now: datetime,
        id: int | None = None,
        confined_to: Sequence[int] | None = None,
    ) -> RolledBack:
        """Append a revision equal to an earlier one, but for what protects links: the mode stays,
        and of the guard's limits, `on_issue_deleted` and the number of owners the stricter of
        both revisions holds. With *undo*, also plan to take back what was done since. Without
        *may_widen* the earlier one may reach no project that the active one does not. With an
        *id*, only that connection is meant: its name may have been given to another one.

        Raises `Refused`: `connection_unknown`, `revision_unknown`, `validation`,
        `link_types_gone`, `projects_connected`, `forbidden`.
        """
        row, earlier = await self._known(name, number, id)
        config = await self._standing(row, earlier)
        async with self.admin.database.transaction() as conn:
            await connections.lock_admin(conn)
            current = await _locked_as(conn, row)
            if not may_widen:
                _refuse_wider(current.config, config)
            config = config.no_looser_than(current.config)
            ends = {side: row.site_id(side) for side in Side}
            await refuse_conflicts(conn, name, ends, current, config)
            said = f"rolled back to revision {number}" + (f": {note}" if note else "")
            await connections.append_revision(conn, row.id, config, author=by, note=said, now=now)
            ask = partial(restore.build_undo, requested_by=by, now=now, confined_to=confined_to)
            plan_id = await ask(conn, row.id, number + 1) if undo else None
            stored = await connections.by_id(conn, row.id)
            count = await twins.count(conn, row.id)
        assert stored is not None
        _LOG.warning("rolled_back", connection=name, to=number, revision=stored.revision, by=by)
        before = current.config.respelled(config.type_on)
        if count and scope_of(before) != scope_of(config):
            await self.admin.compare(row.id, cause="rollback", by=by)
        self.wake()
        return RolledBack(stored, plan_id)

    async def _known(
        self, name: str, number: int, id: int | None
    ) -> tuple[ConnectionRow, Revision]:
        async with self.admin.database.connection() as conn:
            row = await connections.by_name(conn, name)
            if row is None or id not in {None, row.id}:
                raise Refused("connection_unknown")
            earlier = await _earlier(conn, row, number)
        return row, earlier

    async def _standing(self, row: ConnectionRow, earlier: Revision) -> ConnectionConfig:
        """The earlier configuration with its link types as the sites spell them now."""
        left, right = await asyncio.gather(*(self._types(row.site_id(side)) for side in Side))
        known = {Side.LEFT: left, Side.RIGHT: right}
        gone = [
            Problem("/revision", f"{pair.on(side).name} is no link type of the {side} site now")
            for pair in earlier.config.link_types
            for side in Side
            if pair.on(side).id not in known[side]
        ]
        if gone:
            raise Refused("link_types_gone", problems=tuple(gone))
        pairs = tuple(
            TypePair(left[pair.left.id], right[pair.right.id], pair.reversed)
            for pair in earlier.config.link_types
        )
        config = replace(earlier.config, link_types=pairs)
        if found := problems(config):
            raise invalid(*(Problem("/revision", problem.detail) for problem in found))
        return config

    async def _types(self, site_id: int) -> dict[str, LinkType]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                client = await self.admin.sites.client(site_id)
                types = await client.link_types()
        except (TransientError, PermanentError, TimeoutError):
            async with self.admin.database.connection() as conn:
                types = await site_types.of_site(conn, site_id)
        return {kind.id: kind for kind in types}


def _refuse_wider(active: ConnectionConfig, earlier: ConnectionConfig) -> None:
    """Projects may have been taken away because another tenant has them now."""
    for side in Side:
        if not set(earlier.end(side).projects) <= set(active.end(side).projects):
            needed = "an administrator who is not confined"
            raise Refused("forbidden", f"it reaches more {side.value} projects: needs {needed}")


def _exists(revision: int | None) -> None:
    if revision is None:
        raise Refused("connection_unknown")


async def _locked_as(conn: Connection, row: ConnectionRow) -> ConnectionRow:
    """The connection under its lock, if its name still means the same one."""
    current = await _locked(conn, row.name)
    if current.id != row.id:
        raise Refused("concurrent_change")
    return current


async def _locked(conn: Connection, name: str) -> ConnectionRow:
    row = await connections.lock(conn, name)
    if row is None:
        raise Refused("connection_unknown")
    return row


async def _earlier(conn: Connection, row: ConnectionRow, number: int) -> Revision:
    found = await revisions.by_number(conn, row.id, number)
    if found is None:
        raise Refused("revision_unknown")
    if found.rollout == "shadow":
        raise invalid(Problem("/revision", "it was only tried in shadow"))
    if number >= row.revision:
        raise invalid(Problem("/revision", "it is the active one"))
    return found
