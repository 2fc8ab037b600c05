"""Pairing issues that a caller names: both must be seen now, in scope, and free.

Each pair has its own outcome; one that cannot be paired stops none of the others. Two claims on
one issue pair neither, whether they come in one body or meet one that is paired already.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from app.core.connection.projects import Projects
from app.core.errors import PermanentError, TransientError
from app.core.evidence import IssueView
from app.core.links import IssueId, IssueKey, Side
from app.core.twin_claims import LETTING_GO, ClaimStatus
from app.store.config import connections, project_pins
from app.store.config.connections import ConnectionRow
from app.store.links import twins
from app.store.pool import Connection, Database
from app.store.queue import work
from app.store.queue.work import Cause
from app.sync.runtime.jira_clients import Sites
from app.sync.runtime.refusals import Refused, site_failed
from app.sync.twins.resume import resume

# Above this, the first look at them waits behind what people do now.
_BULK_FROM = 100

_T = TypeVar("_T")
Seen = Mapping[Side, Mapping[IssueKey, IssueView]]
Scope = Mapping[Side, Projects]


@dataclass(frozen=True, slots=True)
class Claim:
    left: IssueKey
    right: IssueKey

    def on(self, side: Side) -> IssueKey:
        return side.pick(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Paired:
    """`id` of the twin, where there is one. `detail` says what the status leaves open."""

    claim: Claim
    status: ClaimStatus
    detail: str = ""
    id: int | None = None


async def pair(
    database: Database,
    sites: Sites,
    connection: ConnectionRow,
    claims: Sequence[Claim],
    *,
    now: datetime,
    confined: bool = False,
) -> list[Paired]:
    """Outcomes in the order of *claims*. A caller who is *confined* to connections does not learn
    which issues there are outside the scope of this one. Raises `TransientError`
    `site_unavailable` or `site_refuses`, then nothing is paired."""
    seen = await _look(sites, connection, claims)
    async with database.transaction() as conn:
        locked = await connections.lock(conn, connection.name)
        if locked is None or locked.id != connection.id:
            raise Refused("connection_unknown")
        scope = await _scope(conn, locked)
        if confined:
            seen = _in_scope(seen, scope)
        verdicts = judge(claims, seen, scope)
        outcomes = await _store(conn, locked, verdicts, seen, now)
        made = [it.id for it in outcomes if it.status is ClaimStatus.PAIRED and it.id is not None]
        if made:
            bulk = len(made) > _BULK_FROM
            cause = Cause("twin", "api")
            await work.raise_pairs(conn, locked.id, made, cause=cause, now=now, bulk=bulk)
    return outcomes


async def preview(
    database: Database,
    sites: Sites,
    connection: ConnectionRow,
    claims: Sequence[Claim],
    *,
    confined: bool = False,
) -> list[Paired]:
    """What `pair` would answer, less what it knows of twins that are there. Stores nothing."""
    seen = await _look(sites, connection, claims)
    async with database.connection() as conn:
        scope = await _scope(conn, connection)
    if confined:
        seen = _in_scope(seen, scope)
    return judge(claims, seen, scope)


async def _scope(conn: Connection, connection: ConnectionRow) -> Scope:
    pins = await project_pins.of_connection(conn, connection.id)
    config = connection.config
    return {side: Projects(config.end(side).projects, pins[side]) for side in Side}


def judge(claims: Sequence[Claim], seen: Seen, scope: Scope) -> list[Paired]:
    """Everything that does not need the twins that are there; `paired` means: may be."""
    twice = {side: _twice(claim.on(side) for claim in claims) for side in Side}
    met = {side: _twice(_ids(claims, seen, side)) for side in Side}
    return [_judge_one(claim, seen, scope, twice, met) for claim in claims]


def _judge_one(
    claim: Claim,
    seen: Seen,
    scope: Scope,
    twice: Mapping[Side, set[IssueKey]],
    met: Mapping[Side, set[IssueId]],
) -> Paired:
    for side in Side:
        key = claim.on(side)
        view = seen[side].get(key)
        if key in twice[side] or (view is not None and view.ref.id in met[side]):
            return Paired(claim, ClaimStatus.AMBIGUOUS, f"{key} is named more than once")
    for side in Side:
        view = seen[side].get(claim.on(side))
        if view is None:
            return Paired(
                claim, ClaimStatus.UNKNOWN_ISSUE, f"the {side.value} site does not show it"
            )
        if not scope[side].hold(view):
            return Paired(claim, ClaimStatus.WRONG_PROJECT, f"{view.ref.key} is not in scope")
    return Paired(claim, ClaimStatus.PAIRED)


async def _look(sites: Sites, connection: ConnectionRow, claims: Sequence[Claim]) -> Seen:
    async def one(side: Side) -> Mapping[IssueKey, IssueView]:
        client = await sites.client(connection.site_id(side))
        keys = list(dict.fromkeys(claim.on(side) for claim in claims))
        return await client.resolve_keys(keys)

    try:
        left, right = await asyncio.gather(one(Side.LEFT), one(Side.RIGHT))
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        raise site_failed(error) from error
    return {Side.LEFT: left, Side.RIGHT: right}


def _in_scope(seen: Seen, scope: Scope) -> Seen:
    return {
        side: {key: view for key, view in seen[side].items() if scope[side].hold(view)}
        for side in Side
    }


async def _store(
    conn: Connection,
    connection: ConnectionRow,
    verdicts: Iterable[Paired],
    seen: Seen,
    now: datetime,
) -> list[Paired]:
    """Insert what may be paired and is free; a pair whose letting go waits in a plan goes on. The
    connection's lock is held: no one else pairs."""
    ids = {side: [view.ref.id for view in seen[side].values()] for side in Side}
    taken = {side: await twins.by_issues(conn, connection.id, side, ids[side]) for side in Side}
    pair = (connection.left_site_id, connection.right_site_id)
    outcomes = []
    for verdict in verdicts:
        if verdict.status is not ClaimStatus.PAIRED:
            outcomes.append(verdict)
            continue
        left, right = (seen[side][verdict.claim.on(side)].ref for side in Side)
        there = [taken[Side.LEFT].get(left.id), taken[Side.RIGHT].get(right.id)]
        if there[0] is not None and there[0] == there[1]:
            held = there[0].suspended == LETTING_GO
            await resume(conn, connection.id, there[0].id, now)
            status = ClaimStatus.PAIRED if held else ClaimStatus.UNCHANGED
            outcomes.append(replace(verdict, status=status, id=there[0].id))
        elif there != [None, None]:
            names = [(t.name(Side.LEFT), t.name(Side.RIGHT)) for t in there if t is not None]
            words = " and ".join(f"{left} = {right}" for left, right in names)
            outcomes.append(replace(verdict, status=ClaimStatus.ALREADY_PAIRED, detail=words))
        else:
            made = await twins.insert(conn, connection.id, pair, left, right, source="api", now=now)
            status = ClaimStatus.ERROR if made is None else ClaimStatus.PAIRED
            outcomes.append(replace(verdict, status=status, id=made))
    return outcomes


def _ids(claims: Iterable[Claim], seen: Seen, side: Side) -> Iterable[IssueId]:
    """Two keys may lead to one issue: it was moved, and the former key still finds it."""
    keys = dict.fromkeys(claim.on(side) for claim in claims)
    return (view.ref.id for key in keys if (view := seen[side].get(key)) is not None)


def _twice(values: Iterable[_T]) -> set[_T]:
    return {value for value, count in Counter(values).items() if count > 1}
