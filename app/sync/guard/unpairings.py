"""What is let go: pairs that their twin field no longer names, and pairs that a person unpairs.

Nothing of it removes a link from Jira, but it ends what keeps many links in step, and one bulk edit
of a field can ask for all of them. So links that are let go count in windows of their own, with the
limits of removals:

==========================  ============================================================
the service, within them    the pair ends, its links are suspended: if the same pair comes back
                            within 30 days they go on, else they are released
a person, within them       the pair ends, its links are released
above them                  the pair is suspended and keeps its issues, an incident opens, and a
                            plan asks whether it ends
the plan is approved        the links are released, outside the windows
it is rejected              the pairs go on, as pairs that a person made
a pair is named again       it goes on, and the plan lets it be; what took its place gives way
no decision for a week      the plan is made again: time is no approval
==========================  ============================================================

The windows slide and nothing resets them. A link that has come back counts no longer. What the
service would let go all at once, of a connection with three links or more, is held as well.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.errors import PermanentError
from app.core.guard import Window, leaves_none, windows
from app.core.incidents import Impact, IncidentKind
from app.core.ledger import State
from app.core.links import Side
from app.core.operations import Operation
from app.core.plan import PlanKind, PlanStatus
from app.core.twin_claims import LETTING_GO
from app.store.config.active_connection import Running
from app.store.guard import held_plans as stored
from app.store.guard import unpairings
from app.store.guard.held_plans import HeldPlan
from app.store.links import claims, discoveries, former_twins, twins
from app.store.links.former_twins import Asked
from app.store.links.twins import Twin
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.store.writes import plans, written_links
from app.store.writes.plans import Planned
from app.sync.guard.judge import Shown
from app.sync.incidents import timeline
from app.sync.runtime.context import Context
from app.sync.twins import release
from app.sync.twins.resume import resume

BY_FIELD, BY_PERSON = "twin_field", "unpaired"
"""Reasons of plans and of their changes."""
AT_ONCE = 100


@dataclass(slots=True)
class _Ruling:
    """`going` may be let go now. `held` wait for a person."""

    going: list[Twin] = field(default_factory=list)
    held: list[Twin] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unpaired:
    """What came of a person's unpairing. `plan_id`: it waits there for an approver."""

    released: int
    held: int = 0
    plan_id: int | None = None


async def shown(
    conn: Connection, connections: Sequence[Shown], now: datetime
) -> dict[int, tuple[Window, ...]]:
    """The windows of what each connection lets go, for people."""
    counted = await unpairings.of_windows(conn, [it.id for it in connections], now)
    return {
        it.id: tuple(
            replace(window, scope=f"unpaired_{window.scope}")
            for window in windows(it.config.guard, counted[it.id])
        )
        for it in connections
    }


async def _windows(conn: Connection, state: Running, now: datetime) -> list[Window]:
    counted = await unpairings.of_windows(conn, [state.id], now)
    return windows(state.config.guard, counted[state.id])


async def let_go(
    conn: Connection,
    ctx: Context,
    state: Running,
    twin_ids: Sequence[int],
    giving_way: Collection[int],
) -> set[int]:
    """End pairs that their field no longer names, as far as the windows have room; answers those
    that have to wait, since a link of theirs is being written. Those that are *giving_way* to a
    pair that comes back need no room. Under the connection's lock."""
    now = ctx.clock()
    busy = await written_links.open_for_twins(conn, state.id, twin_ids)
    found = await twins.by_ids(conn, state.id, [it for it in twin_ids if it not in busy])
    ways = [it for it in found if it in giving_way]
    for it in ways:
        await resume(conn, state.id, it, now)  # out of the plan that holds it
    await former_twins.suspend(conn, state.id, ways, former_twins.GAVE_WAY, now)
    await former_twins.put(conn, state.id, ways, now)
    pairs = [it for it in found.values() if it.suspended != LETTING_GO and it.id not in giving_way]
    asked = await former_twins.asked(conn, state.id, [it.id for it in pairs])
    ruling = await _judge(conn, state, pairs, asked, now, final=False)
    going = [it.id for it in ruling.going]
    await former_twins.suspend(conn, state.id, going, former_twins.LET_GO, now)
    await former_twins.put(conn, state.id, going, now)
    await _hold(conn, ctx, state, ruling.held, asked, final=False)
    links = _links(ruling.going, asked, final=False)
    ctx.metrics.links_unpaired.labels(state.name, "let_go").inc(len(links))
    return set(busy)


async def unpair(ctx: Context, connection_id: int, twin_id: int, *, actor: str) -> Unpaired:
    """A person unpairs two issues.

    Raises `PermanentError`: `connection_unknown`, `twin_unknown`, or `write_in_progress` while a
    link of theirs is being written or its outcome is not known yet.
    """
    async with ctx.database.transaction() as conn:
        state = await release.lock(conn, connection_id, [twin_id])
        now = ctx.clock()
        twin = (await twins.by_ids(conn, connection_id, [twin_id])).get(twin_id)
        if twin is None:
            raise PermanentError("twin_unknown")
        asked = await former_twins.asked(conn, connection_id, [twin_id])
        if twin.suspended != LETTING_GO:
            ruling = await _judge(conn, state, [twin], asked, now, final=True)
            if ruling.going:
                released = await release.end_pair(
                    conn, state, twin_id, actor=actor, now=now, engine=ctx.engine
                )
                ctx.metrics.links_unpaired.labels(state.name, "released").inc(released)
                return Unpaired(released)
            if await written_links.open_for_twins(conn, connection_id, [twin_id]):
                raise PermanentError("write_in_progress")
            await _hold(conn, ctx, state, ruling.held, asked, final=True)
        plan_id = await former_twins.plan_of(conn, twin_id)
    return Unpaired(0, sum(it.managed for it in asked), plan_id)


async def _judge(
    conn: Connection,
    state: Running,
    pairs: Sequence[Twin],
    asked: Sequence[Asked],
    now: datetime,
    *,
    final: bool,
) -> _Ruling:
    """Which pairs may go, from the first on: once one is held, so are all after it that would let
    links go; and so is a pair one of whose links waits for its other pair. What is *final* counts
    links again that were let go before; what is not does not go if that leaves none."""
    room = min(it.room for it in await _windows(conn, state, now))
    ruling, gone = _Ruling(), set[int]()
    for pair in sorted(pairs, key=lambda it: it.id):
        links = {it.row.id for it in _links([pair], asked, final=final)} - gone
        waits = any(it.held and pair.id in it.row.key.twins for it in asked)
        if waits or (links and (ruling.held or len(gone | links) > room)):
            ruling.held.append(pair)
        else:
            ruling.going.append(pair)
            gone |= links
    stands = sum(it.row.id in gone and _stands(it) for it in asked)
    if not final and leaves_none(await unpairings.standing(conn, state.id, stands, now)):
        last = [it for it in ruling.going if _links([it], asked, final=final)]
        ruling.going = [it for it in ruling.going if it not in last]
        ruling.held += last
    return ruling


def _links(pairs: Sequence[Twin], asked: Sequence[Asked], *, final: bool) -> list[Asked]:
    """The managed links at these pairs that do not wait for another pair already and, unless their
    release is *final*, were not let go for one."""
    ids = {it.id for it in pairs}
    fresh = [it for it in asked if it.managed and not it.held and (final or not it.gone)]
    return [it for it in fresh if not ids.isdisjoint(it.row.key.twins)]


def _stands(it: Asked) -> bool:
    return it.row.state in (State.MANAGED, State.ORPHANED)


async def _hold(
    conn: Connection,
    ctx: Context,
    state: Running,
    pairs: Sequence[Twin],
    asked: Sequence[Asked],
    *,
    final: bool,
) -> None:
    if not pairs:
        return
    now, ids = ctx.clock(), [it.id for it in pairs]
    reason = BY_PERSON if final else BY_FIELD
    links = _links(pairs, asked, final=final)
    for pair in pairs:
        own = _links([pair], asked, final=final)
        # What has no link of its own to show is decided with the pair that shows its link.
        plan_id = None if own else await former_twins.plan_at(conn, state.id, pair.id)
        if plan_id is None:
            plan_id = await plans.gathering(
                conn, state, PlanKind.UNPAIRINGS, reason=reason, now=now
            )
        await former_twins.hold(conn, state.id, pair.id, plan_id)
        await plans.put(conn, plan_id, [_planned(it, pair, reason) for it in own], now=now)
    await former_twins.suspend(conn, state.id, ids, former_twins.HELD, now)
    ctx.metrics.links_unpaired.labels(state.name, "held").inc(len(links))
    await timeline.open_or_note(
        conn, IncidentKind.UNPAIRINGS_HELD, connection_id=state.id, now=now, impact=Impact.MINOR,
        detail=await unpairings.figures(conn, state.id),
    )  # fmt: skip


def _planned(it: Asked, pair: Twin, reason: str) -> Planned:
    place, row = it.place, it.row
    return Planned(
        Operation.RELEASE,
        place.mirror.site,
        place.mirror.type_id,
        place.source(row.mirror),
        place.destination(row.mirror),
        row.mirror_id,
        row.key,
        reason,
        {"pair": f"{pair.name(Side.LEFT)} = {pair.name(Side.RIGHT)}", "state": row.state.value},
    )


async def keep(conn: Connection, plan: HeldPlan, now: datetime) -> None:
    """The plan is rejected: its pairs go on as pairs that a person made, so that no field ends
    them. Under the connection's lock."""
    ids = await former_twins.held_by(conn, plan.id)
    await former_twins.go_on(conn, plan.connection_id, ids, now, source="api")
    cause = Cause("plan", str(plan.id))
    await raise_pairs(conn, plan.connection_id, ids, cause=cause, now=now, bulk=True)


async def run_once(ctx: Context) -> int:
    """Let go what approved plans name, and release the links of pairs that did not come back;
    answers how many pairs."""
    async with ctx.database.connection() as conn:
        approved = await unpairings.approved(conn, AT_ONCE)
        overdue = await former_twins.overdue(conn, ctx.clock(), AT_ONCE)
    for connection_id, plan_id, twin_id in approved:
        await _let_go_as_approved(ctx, connection_id, plan_id, twin_id)
    for connection_id, twin_id in overdue:
        await _give_up(ctx, connection_id, twin_id)
    return len(approved) + len(overdue)


async def _let_go_as_approved(ctx: Context, connection_id: int, plan_id: int, twin_id: int) -> None:
    """One pair in one transaction. One whose link is being written has its turn later."""
    async with ctx.database.transaction() as conn:
        state = await release.lock(conn, connection_id, [twin_id])
        plan = await stored.lock(conn, plan_id)
        held = await former_twins.plan_of(conn, twin_id)
        if plan is None or plan.status is not PlanStatus.APPLYING or held != plan_id:
            return
        if await written_links.open_for_twins(conn, connection_id, [twin_id]):
            return
        [twin] = (await twins.by_ids(conn, connection_id, [twin_id])).values()
        now = ctx.clock()
        released = await release.end_pair(
            conn, state, twin_id, actor="twinlink", now=now, engine=ctx.engine, plan_id=plan_id
        )
        await unpairings.note_released(conn, plan_id, twin_id)
        ctx.metrics.links_unpaired.labels(state.name, "released").inc(released)
        await _ask_fields(conn, state, twin, now)


async def _ask_fields(conn: Connection, state: Running, twin: Twin, now: datetime) -> None:
    """Both issues are free: what a field says of them may pair them now."""
    side: Side | None = state.config.twins.side
    if side is None:
        return
    there = twin.on(side.other).id
    waiting = (await claims.on_targets(conn, state.id, side, [there])).get(there, [])
    issues = {twin.on(side).id, *(it.issue.id for it in waiting)}
    await discoveries.raise_issues(conn, state.id, side, issues, cause="claim", now=now)


async def _give_up(ctx: Context, connection_id: int, twin_id: int) -> None:
    """The pair did not come back in its time."""
    async with ctx.database.transaction() as conn:
        state = await release.lock(conn, connection_id, [twin_id])
        now = ctx.clock()
        if await written_links.open_for_twins(conn, connection_id, [twin_id]):
            return
        if await former_twins.forget(conn, twin_id, now):
            await release.end_pair(
                conn, state, twin_id, actor="twinlink", now=now, engine=ctx.engine, for_good=True
            )
