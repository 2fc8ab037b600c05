"""Making, resting and resuming pairs as twin fields claim them, under the connection's lock."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.links import IssueId, IssueRef, Side
from app.core.twin_claims import AMBIGUOUS, ClaimStatus, Pair, Verdict, judge
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import claims, discoveries, former_twins, twins
from app.store.links.claims import Claim
from app.store.links.discoveries import Discovery
from app.store.links.twins import Twin
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.sync.discovery.field_read import Findings
from app.sync.guard import unpairings
from app.sync.runtime.context import Context
from app.sync.twins.resume import resume


@dataclass(slots=True)
class _Effects:
    """What follows from one commit: pairs to look at, and issues whose claims may now count."""

    raised: set[int] = field(default_factory=set)
    look: set[IssueId] = field(default_factory=set)
    statuses: list[Claim] = field(default_factory=list)


async def commit(
    ctx: Context,
    state: Running,
    claimed: Sequence[Discovery],
    found: Findings,
    gone: Iterable[IssueId],
) -> bool:
    """Record what *claimed* issues claim, let go what they claim no more, and pair what is clear.
    *gone* are issues that were deleted. False if the configuration changed since the reading: then
    nothing was done. An issue whose link is being written leaves *found*: it is asked again."""
    side, now = claimed[0].side, ctx.clock()
    async with ctx.database.transaction() as conn:
        locked = await active_connection.lock(conn, state.id)
        if locked is None or locked.config != state.config:
            return False
        standing = await discoveries.standing(conn, claimed)
        await _let_go(conn, ctx, locked, found, standing)
        effects = _Effects()
        fresh = {issue: it for issue, it in found.claims.items() if issue in standing}
        blank = {issue for issue, it in fresh.items() if it is None}
        dropped = blank | await _unpaired(conn, locked, side, standing.intersection(gone))
        await _release_targets(conn, locked, side, fresh, dropped, effects)
        made = [it for it in fresh.values() if it is not None]
        await claims.drop(conn, locked.id, side, dropped)
        await claims.put(conn, locked.id, side, made, now)
        await _settle(ctx, conn, locked, side, made, found.targets, effects)
        await claims.put(conn, locked.id, side, effects.statuses, now)
        cause = Cause("twin", "field")
        bulk = len(effects.raised) > 1
        await raise_pairs(conn, locked.id, sorted(effects.raised), cause=cause, now=now, bulk=bulk)
        ended = [it for it in claimed if it.issue in fresh or it.issue in dropped]
        await discoveries.end(conn, ended)
        others = effects.look - {it.issue for it in claimed}
        await discoveries.raise_issues(conn, locked.id, side, others, cause="claim", now=now)
    return True


async def _let_go(
    conn: Connection, ctx: Context, state: Running, found: Findings, standing: Collection[IssueId]
) -> None:
    stale = {issue: twin.id for issue, twin in found.stale.items() if issue in standing}
    if not stale:
        return
    giving_way = await _giving_way(conn, state, found, stale)
    busy = await unpairings.let_go(conn, ctx, state, list(stale.values()), giving_way)
    for issue, twin_id in stale.items():
        if twin_id in busy:
            del found.claims[issue]


async def _giving_way(
    conn: Connection, state: Running, found: Findings, stale: Mapping[IssueId, int]
) -> set[int]:
    """The pairs whose issue names the twin again that it had before."""
    side = state.config.twins.side
    named = {issue: found.claims[issue] for issue in stale}
    pairs = {
        side.order(issue, claim.target): stale[issue]
        for issue, claim in named.items()
        if side is not None and claim is not None and claim.target is not None
    }
    return {pairs[it] for it in await former_twins.among(conn, state.id, list(pairs))}


async def _unpaired(
    conn: Connection, state: Running, side: Side, gone: Iterable[IssueId]
) -> set[IssueId]:
    """Deleted issues claim nothing any more. One that is in a pair keeps it: its links are
    orphaned, and what becomes of them is decided there."""
    deleted = set(gone)
    return deleted - (await twins.by_issues(conn, state.id, side, deleted)).keys()


async def _release_targets(
    conn: Connection,
    state: Running,
    side: Side,
    fresh: Mapping[IssueId, Claim | None],
    dropped: Iterable[IssueId],
    effects: _Effects,
) -> None:
    """Other issues that claim what these claimed before are looked at again."""
    touched = {*fresh, *dropped}
    former = await claims.of_issues(conn, state.id, side, touched)
    left = set()
    for issue, before in former.items():
        now = fresh.get(issue)
        if before.target is not None and (now is None or now.target != before.target):
            left.add(before.target)
    for contenders in (await claims.on_targets(conn, state.id, side, left)).values():
        effects.look |= {it.issue.id for it in contenders} - touched


async def _settle(
    ctx: Context,
    conn: Connection,
    state: Running,
    side: Side,
    made: Sequence[Claim],
    refs: Mapping[IssueId, IssueRef],
    effects: _Effects,
) -> None:
    targets = {it.target for it in made if it.target is not None}
    contenders = await claims.on_targets(conn, state.id, side, targets)
    issues = {it.issue.id for those in contenders.values() for it in those}
    at = await twins.by_issues(conn, state.id, side.other, targets)
    own = await twins.by_issues(conn, state.id, side, issues)
    for target, those in sorted(contenders.items()):
        there = at.get(target)
        pairs = {issue: _pair(twin, side) for issue, twin in own.items() if twin != there}
        verdict = judge([it.issue.id for it in those], _pair(there, side) if there else None, pairs)
        effects.statuses += [
            replace(it, status=verdict.status)
            for it in those
            if it.status not in (verdict.status, ClaimStatus.ERROR)
        ]
        if verdict.look is not None:
            effects.look.add(verdict.look)
        await _rest_or_resume(conn, verdict, there, effects, ctx.clock())
        if verdict.make is not None and target in refs:
            await _make(ctx, conn, state, side, those[0].issue, refs[target], own, effects)


async def _make(
    ctx: Context,
    conn: Connection,
    state: Running,
    side: Side,
    issue: IssueRef,
    target: IssueRef,
    own: dict[IssueId, Twin],
    effects: _Effects,
) -> None:
    left, right = side.order(issue, target)
    pair = (state.left_site, state.right_site)
    made = await twins.insert(conn, state.id, pair, left, right, source="field", now=ctx.clock())
    assert made is not None, "both issues were free, and we hold the lock"
    effects.raised.add(made)
    own.update(await twins.by_issues(conn, state.id, side, [issue.id]))


async def _rest_or_resume(
    conn: Connection, verdict: Verdict, there: Twin | None, effects: _Effects, now: datetime
) -> None:
    if there is None or (verdict.rest is None and verdict.resume is None):
        return
    await resume(conn, there.connection_id, there.id, now)
    await twins.suspend(conn, there, AMBIGUOUS if verdict.rest is not None else None)
    effects.raised.add(there.id)


def _pair(twin: Twin, side: Side) -> Pair:
    return Pair(twin.id, twin.on(side).id, twin.source == "field", twin.suspended)
