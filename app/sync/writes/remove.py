"""Remove mirrors: what of the proposals may be removed, and the intents for it.

On the way there: the decision (row 7: ledger id seen right now, origin proven absent), no other
connection whose origin keeps the link, and a guard slot in the intent's own transaction. The last
proof of whose the link is, and the DELETE itself, are in `delete`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import Link, LinkId, LinkType
from app.core.operations import Operation, Status
from app.core.results import (
    HeirNotReady,
    Held,
    Kept,
    Moved,
    Result,
    Stale,
    Unexplained,
)
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_changes, lost_removals
from app.store.links import ledger, managers
from app.store.links.ledger import Change
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.store.writes import audit
from app.store.writes.audit_entry import entry
from app.store.writes.intents import Mirror, Wanted
from app.sync.look.snapshot import Look
from app.sync.runtime import heirs
from app.sync.runtime.context import Context
from app.sync.runtime.heirs import Heir
from app.sync.writes.author_proof import Asked, authors
from app.sync.writes.delete import carry_out
from app.sync.writes.origin_removal import unexplained
from app.sync.writes.proposal import Proposal
from app.sync.writes.reserve import hold, reserve

# Fewer than creates: a removal costs a read and a DELETE, and there is no hurry.
BATCH = 50
UNSEEN = "origin_removal_unseen"


async def remove_all(
    ctx: Context, look: Look, proposals: Sequence[Proposal]
) -> dict[LinkKey, Result]:
    """Remove what may be removed; what each proposal came to."""
    proven, results = await _authored(ctx, look, proposals)
    ours = []
    for it in proven:
        moved = await move_to_heir(ctx, look.running.id, it)
        if moved is None:
            ours.append(it)
        else:
            results[it.key] = moved
    kept = await _unexplained(ctx, look, ours)
    results.update(kept)
    ours = [it for it in ours if it.key not in kept]
    for start in range(0, len(ours), BATCH):
        reserved = await reserve(ctx, look, ours[start : start + BATCH])
        results.update(reserved.refused)
        granted = [(intent, _kind(look, proposal)) for intent, proposal in reserved.granted]
        deleted = await carry_out(ctx, look.running.id, granted)
        results.update({it.key: deleted[intent.id] for intent, it in reserved.granted})
    return results


async def _authored(
    ctx: Context, look: Look, proposals: Sequence[Proposal]
) -> tuple[list[Proposal], dict[LinkKey, Result]]:
    """The proposals whose mirror is proven to be ours, and what the others came to. Unknown is
    asked once more: theirs becomes preexisting, still unknown is held and its row stays."""
    known = [it for it in proposals if it.row and it.row.proven]
    unsure = [it for it in proposals if it.row and not it.row.proven]
    results: dict[LinkKey, Result] = {}
    if not unsure:
        return known, results
    unknown = []
    for it, verdict in await _ask(ctx, look, unsure):
        assert it.row is not None
        row = await _note_author(ctx, look.running.id, it.row, verdict)
        if row is None:
            results[it.key] = Stale()
        elif verdict.proven:
            evidence = {**it.evidence, "authorship": "changelog", **row.author_evidence}
            known.append(replace(it, row=row, evidence=evidence))
        elif verdict is Authorship.THEIRS:
            results[it.key] = Kept()
        else:
            unknown.append(replace(it, row=row, reason="authorship_unknown"))
    if unknown:
        decided = await _decided_unknown(ctx, look, unknown)
        known += [
            replace(it, evidence={**it.evidence, "authorship": "unknown, two owners decided"})
            for it in unknown
            if it.wanted.mirror in decided
        ]
        left = [it for it in unknown if it.wanted.mirror not in decided]
        await _hold_unknown(ctx, look, left)
        results.update({it.key: Held() for it in left})
    return known, results


async def _unexplained(ctx: Context, look: Look, ours: Sequence[Proposal]) -> dict[LinkKey, Result]:
    """Those whose origin went without a trace: an event or a try later its changelog may show the
    removal. After all tries they are held, since a person may know how it went."""
    absent = [it for it in ours if it.row is not None and it.row.state is State.MANAGED]
    keys = await unexplained(ctx, look, absent)
    asked = [it for it in absent if it.key in keys]
    if not asked:
        return {}
    mirrors = [mirror for it in asked if (mirror := it.wanted.mirror) is not None]
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, look.running.id)
        connection = look.running.id
        decided = await held_changes.approved_for(conn, connection, mirrors, UNSEEN, owners=1)
        # Two owners who know less, not even whose link it is, have decided this as well.
        decided |= await held_changes.approved_unknown(conn, connection, mirrors)
        approved = await held_changes.approved(conn, connection, mirrors)
        waiting = await held_changes.held_mirrors(conn, connection, mirrors)
        # Approved for another reason: what its owner read did not say this.
        open_ = [it for it in asked if it.wanted.mirror not in decided]
        skipped = {it.key: UNSEEN for it in open_ if it.wanted.mirror in approved}
        await held_changes.skip(conn, connection, skipped)
    over = [it for it in open_ if look.tries_over(it.key)]
    fresh = [replace(it, reason=UNSEEN) for it in over if it.wanted.mirror not in waiting]
    await hold(ctx, look, fresh, UNSEEN)
    held: dict[LinkKey, Result] = {it.key: Held() for it in over}
    return {it.key: Unexplained() for it in open_} | held


async def _decided_unknown(ctx: Context, look: Look, unknown: Sequence[Proposal]) -> set[Mirror]:
    mirrors = [mirror for it in unknown if (mirror := it.wanted.mirror) is not None]
    async with ctx.database.connection() as conn:
        return await held_changes.approved_unknown(conn, look.running.id, mirrors)


async def _hold_unknown(ctx: Context, look: Look, unknown: Sequence[Proposal]) -> None:
    """Held, and its row stays, until two owners decide. Where its author became unknown only after
    an approval, that did not say so, and it is skipped there."""
    if not unknown:
        return
    mirrors = [mirror for it in unknown if (mirror := it.wanted.mirror) is not None]
    async with ctx.database.transaction() as conn:
        await active_connection.lock(conn, look.running.id)
        approved = await held_changes.approved(conn, look.running.id, mirrors)
        waiting = await held_changes.held_mirrors(conn, look.running.id, mirrors)
        skipped = {it.key: "authorship_unknown" for it in unknown if it.wanted.mirror in approved}
        await held_changes.skip(conn, look.running.id, skipped)
    fresh = [
        it for it in unknown if it.wanted.mirror not in approved and it.wanted.mirror not in waiting
    ]
    await hold(ctx, look, fresh, "authorship_unknown")


async def _ask(
    ctx: Context, look: Look, unsure: Sequence[Proposal]
) -> list[tuple[Proposal, Authorship]]:
    """Each site is asked about its own links: ids and keys of two sites may be the same."""
    verdicts: list[tuple[Proposal, Authorship]] = []
    for site in sorted({it.wanted.site for it in unsure}):
        here = [it for it in unsure if it.wanted.site == site]
        client = await ctx.sites.client(site)
        shown = {link.id: link for link in look.listed(look.running.side_of(site))}
        asked = [_asked(it.wanted, it.row, shown) for it in here]
        verdicts += zip(here, await authors(ctx, client, asked), strict=True)
    return verdicts


def _asked(wanted: Wanted, row: Row | None, shown: Mapping[LinkId, Link]) -> Asked:
    """As the site shows the link: its ends may have other keys by now than those that we know, and
    the proof right before the DELETE reads these."""
    assert wanted.link_id is not None
    known = Link(wanted.link_id, wanted.type_id, wanted.source, wanted.destination)
    link = shown.get(wanted.link_id, known)
    return Asked(link, row.authored_after if row is not None else None)


async def _note_author(
    ctx: Context, connection_id: int, row: Row, verdict: Authorship
) -> Row | None:
    """The row with the verdict written to it; None if it has moved meanwhile."""
    if verdict is Authorship.UNKNOWN:
        return row
    state = State.MANAGED if verdict.proven else State.PREEXISTING
    author = verdict if verdict.proven else None
    change = Change(
        row=row,
        state=state,
        authorship=author,
        authored_after=row.authored_after,
        left_link=row.left_link,
        right_link=row.right_link,
        reason=f"authorship_{verdict}",
    )
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, connection_id)
        if not await ledger.change(conn, change, now=ctx.clock()):
            return None
        return await ledger.by_id(conn, row.id)


async def move_to_heir(
    ctx: Context, connection_id: int, it: Proposal
) -> Moved | HeirNotReady | Stale | None:
    """Where another connection records this mirror as preexisting, its origin may be there:
    management moves to it, audited, without a DELETE, if it can do all that ours can. If that
    origin is gone as well, its own look finds out, under its own guard. None where there is no
    heir."""
    assert it.row is not None
    async with ctx.database.transaction() as conn:
        found = await _heir(conn, connection_id, it)
        if found is None:
            return None
        if not found.able:
            return HeirNotReady()
        now = ctx.clock()
        for each in sorted((connection_id, found.taking.id)):
            await active_connection.lock(conn, each)
        # Decided once more: modes, pauses and rows are certain only under both locks.
        giving = await active_connection.load(conn, connection_id)
        row = await ledger.by_id(conn, it.row.id)
        heir = await _heir(conn, connection_id, it)
        if giving is None or giving.paused or row is None or row.version != it.row.version:
            return Stale()
        if heir is None or not heir.able or heir.row != found.row:
            return Stale()
        await ledger.forget(conn, row)
        await ledger.change(conn, _inherited(heir.row, it), now=now)
        for state, operation, managed in (
            (giving, Operation.RELEASE, False),
            (heir.taking, Operation.ADOPT, True),
        ):
            row_entry = _handover(state, it, operation, managed=managed)
            await audit.append(conn, state.id, state.name, [row_entry], engine=ctx.engine, now=now)
        cause = it.wanted.cause
        if it.wanted.purpose != "sync":
            cause = Cause("plan", str(it.wanted.plan_id))
        twin_ids = list(heir.row.key.twins)
        await raise_pairs(conn, heir.taking.id, twin_ids, cause=cause, now=now)
        if it.wanted.mirror is not None:
            await lost_removals.end(conn, connection_id, {it.wanted.mirror: "moved"}, now)
    return Moved()


async def _heir(conn: Connection, connection_id: int, it: Proposal) -> Heir | None:
    """The connection that keeps this mirror. Most mirrors have none, and that costs one query."""
    if not await managers.heirs(conn, connection_id, it.wanted.physical):
        return None
    giving = await active_connection.load(conn, connection_id)
    return None if giving is None else await heirs.first(conn, giving, it.wanted.physical)


def _inherited(theirs: Row, it: Proposal) -> Change:
    """The heir's row as the manager of our mirror: its own origin id, our mirror id."""
    assert it.row is not None
    left, right = theirs.origin.order(theirs.link_on(theirs.origin), it.wanted.link_id)
    return Change(
        row=theirs,
        state=State.MANAGED,
        authorship=it.row.authorship,
        authored_after=it.row.authored_after,
        left_link=left,
        right_link=right,
        reason="inherited",
    )


def _handover(state: Running, it: Proposal, operation: Operation, *, managed: bool) -> audit.Entry:
    return entry(
        state,
        state.side_of(it.wanted.site),
        operation,
        Status.APPLIED,
        link_id=it.wanted.link_id,
        type_id=it.wanted.type_id,
        source=it.wanted.source,
        destination=it.wanted.destination,
        managed=managed,
        cause=it.wanted.cause,
        evidence={**it.evidence, "reason": "another connection's origin keeps it"},
    )


def _kind(look: Look, proposal: Proposal) -> LinkType:
    types = look.pair_types(proposal.key)
    assert types is not None
    return types.on(proposal.wanted.origin.other)
