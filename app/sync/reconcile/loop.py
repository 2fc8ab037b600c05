"""The loop of a worker, whole: claim, look, decide, act, settle.

A webhook says *look at this issue*, nothing more. What is done follows from what both sites
show now and from what the ledger knows; an event that came twice or late changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import structlog

from app.core.config import ConnectionConfig, Mode
from app.core.diff import CreateMirror, Decision, Nothing, Prove, RemoveMirror, Wait, decide
from app.core.errors import PermanentError, TransientError
from app.core.evidence import Present
from app.core.ledger import LinkKey, State
from app.core.links import LinkId, Side
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_plans
from app.store.queue import work
from app.store.queue.work import Claimed, Settlement
from app.store.writes import intents, plans
from app.store.writes.intents import Wanted
from app.sync.look import echo, read_sides, scope
from app.sync.look.snapshot import Look
from app.sync.look.update_ledger import record
from app.sync.reconcile.settlement import back_off, broken, settlements
from app.sync.runtime.context import Context
from app.sync.writes import late_writes
from app.sync.writes.create import create_all
from app.sync.writes.remove import remove_all
from app.sync.writes.reserve import Proposal, planned

_LOG = structlog.get_logger(__name__)

# A pair with an open write waits for its outcome, not for another look: a moment where it is
# being written, longer where it looks as if a confirmation will have to end it.
BUSY_SECONDS = 0.3
STUCK_SECONDS = 5.0
# Why an approved removal ends without one: the link is another's, or the mode forbids it.
_NOT_REMOVABLE = frozenset({"kept", "moved", "mode"})
# Questions that proof may raise in turn: the origin first, then the mirror.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: pairs claimed, pairs that are dirty still, and how many seconds from
    now the first of those that were put off is due."""

    claimed: int
    dirty: int
    soonest: float | None = None


async def run_once(ctx: Context, *, size: int, lease: float) -> Pass:
    """Claim up to *size* pairs, look at them and settle them. ``Pass(0, 0)``: nothing is due, or
    this process may not write and leaves them to others."""
    if not ctx.permit.granted:
        return Pass(0, 0)
    async with ctx.database.transaction() as conn:
        claimed = await work.claim(conn, now=ctx.clock(), size=size, lease=lease)
    ctx.metrics.work_claimed.inc(len(claimed))
    dirty = 0
    soonest: list[float] = []
    by_connection = sorted(claimed, key=lambda it: it.connection_id)
    for connection_id, group in groupby(by_connection, key=lambda it: it.connection_id):
        ended = await _look(ctx, connection_id, list(group))
        soonest += [it.again for it in ended if it.again is not None]
        dirty += await _settle(ctx, ended)
    return Pass(len(claimed), dirty, min(soonest, default=None))


async def _settle(ctx: Context, ended: list[Settlement]) -> int:
    for it in ended:
        ctx.metrics.looks.labels(_outcome(it)).inc()
    async with ctx.database.transaction() as conn:
        return await work.settle(conn, ended, now=ctx.clock())


async def _look(ctx: Context, connection_id: int, claimed: list[Claimed]) -> list[Settlement]:
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, connection_id)
        busy = await intents.open_for_twins(conn, connection_id, [it.twin_id for it in claimed])
    if state is None:
        return [Settlement(it) for it in claimed]
    waiting = [
        Settlement(it, again=_busy_for(ctx, busy[it.twin_id]), keep_causes=True, count_try=False)
        for it in claimed
        if it.twin_id in busy
    ]
    free = [it for it in claimed if it.twin_id not in busy]
    echoes = await echo.known(ctx, state, free)
    done = [Settlement(it) for it in free if it.twin_id in echoes]
    return [
        *waiting,
        *done,
        *await _judge(ctx, state, [it for it in free if it.twin_id not in echoes]),
    ]


def _busy_for(ctx: Context, opened: datetime) -> float:
    age = (ctx.clock() - opened).total_seconds()
    return BUSY_SECONDS if age < STUCK_SECONDS else STUCK_SECONDS


async def _judge(ctx: Context, state: Running, claimed: list[Claimed]) -> list[Settlement]:
    """Look at these pairs; a site that fails puts all of them off and concludes nothing."""
    if not claimed:
        return []
    try:
        return await look_at(ctx, state, claimed)
    except TransientError as error:
        _LOG.warning("look_put_off", connection=state.name, code=error.code, pairs=len(claimed))
        now, least = ctx.clock(), error.retry_after or 0.0
        return [
            Settlement(it, again=max(least, back_off(it, now)), count_try=False) for it in claimed
        ]
    except PermanentError as error:
        # Credentials, another Jira: nothing is wrong with these pairs. Once a minute.
        _LOG.warning("look_refused", connection=state.name, code=error.code, pairs=len(claimed))
        reason = f"site:{error.code}"
        return [Settlement(it, again=60.0, waiting=reason, count_try=False) for it in claimed]
    except Exception:
        _LOG.exception("look_broke", connection=state.name, pairs=len(claimed))
        return await _singly(ctx, state, claimed)


async def _singly(ctx: Context, state: Running, claimed: list[Claimed]) -> list[Settlement]:
    """One pair that breaks our code must not take the others of its claim with it."""
    if len(claimed) == 1:
        return [broken(claimed[0])]
    return [ended for it in claimed for ended in await _judge(ctx, state, [it])]


async def look_at(ctx: Context, state: Running, claimed: list[Claimed]) -> list[Settlement]:
    """One whole look: read, decide, record, plan or act."""
    look, decisions = await decisions_for(ctx, state, claimed)
    decisions |= dict.fromkeys(await late_writes.suspect(ctx, look), Wait("write_suspected"))
    results = await record(ctx, look, decisions)
    proposals = await proposals_for(ctx, look, decisions)
    await _refresh_plans(ctx, look, decisions, proposals)
    if state.mode is not Mode.SHADOW:
        creates = [it for it in proposals if it.wanted.operation == "create"]
        removals = [it for it in proposals if it.wanted.operation == "remove"]
        await create_all(ctx, look, creates, results)
        if removals:
            await _remove(ctx, look, removals, results)
            await _skip_refused(ctx, look, removals, results)
    return await settlements(ctx, look, decisions, results)


async def decisions_for(
    ctx: Context, state: Running, claimed: Iterable[Claimed], *, dry: bool = False
) -> tuple[Look, dict[LinkKey, Decision]]:
    """Read both sides and decide every link of these pairs. Follows moves and scope in the
    store; if *dry*, in memory alone."""
    look = await read_sides.begin(ctx, state, claimed)
    await read_sides.read_pairs(ctx, look)
    if not dry:
        await scope.follow_moves(ctx, look)
        await scope.rest_and_resume(ctx, look)
    else:
        scope.imagine(look)
    return look, await _decide_all(ctx, look)


async def decisions_under(
    ctx: Context, look: Look, config: ConnectionConfig
) -> tuple[Look, dict[LinkKey, Decision]]:
    """What a dry look has read, decided under another configuration."""
    other = await read_sides.under(ctx, look, replace(look.running, config=config))
    scope.imagine(other)
    return other, await _decide_all(ctx, other)


async def _decide_all(ctx: Context, look: Look) -> dict[LinkKey, Decision]:
    """Decide with what is listed; where that is not enough, seek proof and ask again."""
    proven: set[tuple[LinkKey, Side]] = set()
    decisions: dict[LinkKey, Decision] = {}
    pending = look.candidates()
    for _ in range(ROUNDS):
        for key in pending:
            decisions[key] = _decide(look, key, proven)
        asked = {key: it.sides for key in pending if isinstance(it := decisions[key], Prove)}
        if not asked:
            break
        await read_sides.prove(ctx, look, asked)
        proven |= {(key, side) for key, sides in asked.items() for side in sides}
        pending = list(asked)
    return decisions


def _decide(look: Look, key: LinkKey, proven: set[tuple[LinkKey, Side]]) -> Decision:
    left, right = (read_sides.judge(look, key, side, proven=(key, side) in proven) for side in Side)
    config = look.running.config
    return decide(look.rows.get(key), left, right, config.direction, config.on_mirror_removed)


async def proposals_for(
    ctx: Context, look: Look, decisions: Mapping[LinkKey, Decision]
) -> list[Proposal]:
    proposals = []
    for key, decision in decisions.items():
        match decision:
            case CreateMirror(origin=origin, origin_id=origin_id, row=row):
                proposals.append(_creation(look, key, origin, origin_id, f"row_{row}"))
            case RemoveMirror(mirror_id=mirror_id):
                proposals.append(_removal(look, key, mirror_id, "row_7"))
            case Nothing() if _orphaned(look, key):
                proposals += await _orphan_removal(ctx, look, key)
            case _:
                continue
    return proposals


def _orphaned(look: Look, key: LinkKey) -> bool:
    row = look.rows.get(key)
    return row is not None and row.state is State.ORPHANED and row.former is State.MANAGED


async def _orphan_removal(ctx: Context, look: Look, key: LinkKey) -> list[Proposal]:
    """``on_issue_deleted: remove``: with the authenticated delivery that says so, and only
    while our mirror's id is listed. It passes the guard like any removal."""
    row = look.rows[key]
    if look.running.config.on_issue_deleted.value != "remove" or row.mirror_id is None:
        return []
    client = await ctx.sites.client(look.running.site(row.origin))
    await client.assure()
    delivery = await scope.deleted_ends(ctx, look, key, row.origin)
    mirror = read_sides.judge(look, key, row.mirror, proven=False)
    if delivery is None or not isinstance(mirror, Present) or row.mirror_id not in mirror.ids:
        return []
    return [_removal(look, key, row.mirror_id, "issue_deleted", delivery=delivery)]


def _creation(look: Look, key: LinkKey, origin: Side, origin_id: LinkId, reason: str) -> Proposal:
    wanted = _wanted(look, key, "create", origin, origin_id, None)
    read_at = look.readings[origin.other].at.isoformat()
    evidence = {"origin_link": origin_id, "mirror_read_at": read_at}
    return Proposal(wanted, look.rows.get(key), reason, look.physical(key, origin), evidence)


def _removal(look: Look, key: LinkKey, mirror_id: LinkId, reason: str, **more: str) -> Proposal:
    row = look.rows[key]
    wanted = _wanted(look, key, "remove", row.origin, row.link_on(row.origin), mirror_id)
    evidence = {"origin_read_at": look.readings[row.origin].at.isoformat(), **more}
    known = row.link_on(row.origin)
    if known is not None:
        evidence["origin_link"] = known
        lookup = look.lookups.get((row.origin, known))
        evidence["origin_lookup"] = lookup.value if lookup else "not_asked"
    return Proposal(wanted, row, reason, evidence=evidence)


def _wanted(
    look: Look,
    key: LinkKey,
    operation: str,
    origin: Side,
    origin_id: LinkId | None,
    link_id: LinkId | None,
) -> Wanted:
    mirror = origin.other
    types = look.pair_types(key)
    assert types is not None
    source, destination = look.ends(key, mirror)
    origin_source, origin_destination = look.ends(key, origin)
    row = look.rows.get(key)
    return Wanted(
        operation=operation,
        site=look.running.site(mirror),
        type_id=types.on(mirror).id,
        source=source,
        destination=destination,
        physical=look.physical(key, mirror),
        key=key,
        right_type=types.right.id,
        origin=origin,
        origin_link=origin_id,
        origin_source=origin_source,
        origin_destination=origin_destination,
        link_id=link_id,
        ledger_id=row.id if row else None,
        read_at=look.readings[mirror].at,
        guarded=operation == "remove",
        cause=look.cause(key),
    )


async def _refresh_plans(
    ctx: Context,
    look: Look,
    decisions: Mapping[LinkKey, Decision],
    proposals: Sequence[Proposal],
) -> None:
    """What was judged anew leaves the open plans, unless it is proposed again; in shadow all
    proposals go to the shadow plan and nowhere else."""
    shadow = look.running.mode is Mode.SHADOW
    proposed = {it.key for it in proposals}
    judged = [key for key, it in decisions.items() if not isinstance(it, Wait | Prove)]
    gone = judged if shadow else [key for key in judged if key not in proposed]
    if not (shadow and proposals) and not (gone and look.running.open_plans):
        return
    async with ctx.database.transaction() as conn:
        state = await active_connection.lock(conn, look.running.id)
        if state is None:
            return
        await plans.drop(conn, look.running.id, gone)
        await held_plans.skip(
            conn, look.running.id, {key: f"row_{_row(decisions[key])}" for key in gone}
        )
        if shadow and proposals:
            plan_id = await plans.gathering(conn, state, "shadow", reason="shadow", now=ctx.clock())
            changes = [planned(it, it.reason) for it in proposals]
            await plans.put(conn, plan_id, changes, now=ctx.clock())


def _row(decision: Decision) -> int:
    return 0 if isinstance(decision, Prove) else decision.row


async def _skip_refused(
    ctx: Context, look: Look, removals: Sequence[Proposal], results: Mapping[LinkKey, str]
) -> None:
    """In a plan that is being applied, what turned out not to be removable is over as well."""
    over = {it.key: word for it in removals if (word := results.get(it.key, "")) in _NOT_REMOVABLE}
    if over and look.running.open_plans:
        async with ctx.database.transaction() as conn:
            await held_plans.skip(conn, look.running.id, over)


async def _remove(
    ctx: Context, look: Look, removals: Sequence[Proposal], results: dict[LinkKey, str]
) -> None:
    if look.running.mode is Mode.CREATE_ONLY:
        results.update({it.key: "mode" for it in removals})
    else:
        await remove_all(ctx, look, removals, results)


def _outcome(it: Settlement) -> str:
    if it.failure is not None:
        return "failed"
    if it.again is not None:
        return "again"
    return "waiting" if it.waiting else "done"
