"""Decisions that change what we know and nothing in Jira."""

from collections.abc import Mapping
from typing import assert_never

from app.core.diff import (
    CreateMirror,
    Decision,
    Detach,
    Forget,
    InStep,
    ManageAgain,
    Nothing,
    Prove,
    RecordPreexisting,
    RemoveMirror,
    Wait,
)
from app.core.ledger import LinkKey, Row, State
from app.core.links import Side
from app.core.results import Held, Stale
from app.store.config import active_connection
from app.store.guard.vanished_mirrors import Gone
from app.store.links import ledger, managers
from app.store.links.ledger import Change, NewRow
from app.store.pool import Connection
from app.store.queue import work
from app.store.writes import written_links
from app.sync.guard.vanished_mirrors import admit
from app.sync.look.ownership_transfer import tell_managers
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context


async def record(
    ctx: Context, look: Look, decisions: Mapping[LinkKey, Decision]
) -> dict[LinkKey, Held | Stale]:
    """Write them all in one transaction under the connection's lock, each against the version
    that the decision is based on and only while our claim lasts. Answers those that were not
    written: `Held` where more mirrors vanish than the guard has room for."""
    writing = {key: it for key, it in decisions.items() if _changes(look, key, it)}
    if not writing:
        return {}
    vanished = [key for key, it in writing.items() if isinstance(it, Detach) and it.vanished]
    async with ctx.database.transaction() as conn:
        if vanished:
            mirrors = {look.running.site(look.rows[key].mirror) for key in vanished}
            await active_connection.lock_sites(conn, mirrors)
        state = await active_connection.lock(conn, look.running.id)
        if state is None or state.revision != look.running.revision:
            return dict.fromkeys(writing, Stale())
        standing = await standing_claims(conn, look, ctx)
        moving = await _being_written(conn, look, writing)
        left: dict[LinkKey, Held | Stale] = {
            key: Stale() for key in writing if key in moving or standing.isdisjoint(key.twins)
        }
        gone = {key: _gone(look, key) for key in vanished if key not in left}
        withheld = await admit(conn, ctx, state, list(gone.values()), ctx.clock())
        left |= {key: Held() for key, it in gone.items() if it.mirror in withheld}
        for key, decision in sorted(writing.items()):
            if key not in left and not await _write(conn, ctx, look, key, decision):
                left[key] = Stale()
        heirs = [
            mirror
            for key, it in writing.items()
            if key not in left and (mirror := _heir_of(look, key, it)) is not None
        ]
        await tell_managers(conn, look, heirs, ctx.clock())
    return left


def _heir_of(look: Look, key: LinkKey, decision: Decision) -> tuple[LinkKey, Side] | None:
    """The mirror whose manager, if it has one, gets an heir by this or loses it."""
    row = look.rows.get(key)
    if isinstance(decision, RecordPreexisting):
        return key, decision.origin.other
    lost = isinstance(decision, Detach | Forget)
    if lost and row is not None and row.state is State.PREEXISTING:
        return key, row.mirror
    return None


def _gone(look: Look, key: LinkKey) -> Gone:
    """The mirror of a managed row as it stood."""
    row, types = look.rows[key], look.pair_types(key)
    assert types is not None
    assert row.mirror_id is not None
    source, destination = look.ends(key, row.mirror)
    mirror = (look.running.site(row.mirror), row.mirror_id)
    return Gone(mirror, types.on(row.mirror).id, source, destination, key)


async def _being_written(
    conn: Connection, look: Look, writing: Mapping[LinkKey, Decision]
) -> set[LinkKey]:
    """Links with a write of anybody's that is open, or that ended after this look began: what
    we saw of them may be our own work half done."""
    places = {
        key: [look.physical(key, side) for side in Side]
        for key in writing
        if look.pair_types(key) is not None
    }
    physical = [it for both in places.values() for it in both]
    busy = await written_links.open_at(conn, physical)
    busy |= await written_links.written_since(conn, physical, look.started_at)
    return {key for key, both in places.items() if not busy.isdisjoint(both)}


async def standing_claims(conn: Connection, look: Look, ctx: Context) -> set[int]:
    """The twins of this look that are still ours by fence and lease."""
    fences = [(it.twin_id, it.fence) for it in look.pairs.values()]
    return await work.held_fences(conn, look.running.id, fences, ctx.clock())


def _changes(look: Look, key: LinkKey, decision: Decision) -> bool:
    match decision:
        case InStep(origin_id=origin_id):
            row = look.rows[key]
            return row.link_on(row.origin) != origin_id
        case RecordPreexisting() | Detach() | ManageAgain() | Forget():
            return True
        case Nothing() | CreateMirror() | RemoveMirror() | Prove() | Wait():
            return False
    assert_never(decision)


async def _write(
    conn: Connection, ctx: Context, look: Look, key: LinkKey, decision: Decision
) -> bool:
    row = look.rows.get(key)
    now = ctx.clock()
    match decision:
        case RecordPreexisting() if row is None:
            return (
                await ledger.insert(
                    conn, look.running.id, _preexisting(look, key, decision), now=now
                )
                is not None
            )
        case Forget():
            return row is None or await ledger.forget(conn, row)
        case ManageAgain() if await _managed_by_another(conn, look, key):
            # Two connections cannot manage one link; to us it stays as it is.
            return True
        case _:
            assert row is not None
            return await ledger.change(conn, _change(row, decision), now=now)


async def _managed_by_another(conn: Connection, look: Look, key: LinkKey) -> bool:
    physical = look.physical(key, look.rows[key].mirror)
    return physical in await managers.managed_keys(conn, [physical])


def _preexisting(look: Look, key: LinkKey, it: RecordPreexisting) -> NewRow:
    types = look.pair_types(key)
    assert types is not None
    left, right = it.origin.order(it.origin_id, it.mirror_id)
    return NewRow(
        key=key,
        right_type=types.right.id,
        place=look.place(key, it.origin.other),
        origin=it.origin,
        state=State.PREEXISTING,
        left_link=left,
        right_link=right,
        reason=f"row_{it.row}",
    )


def _change(row: Row, decision: Decision) -> Change:
    match decision:
        case InStep(origin_id=origin_id) | ManageAgain(origin_id=origin_id):
            left, right = row.origin.order(origin_id, row.mirror_id)
            return Change(
                row=row,
                state=State.MANAGED,
                authorship=row.authorship,
                authored_after=row.authored_after,
                left_link=left,
                right_link=right,
                reason=f"row_{decision.row}",
            )
        case RecordPreexisting():
            left, right = row.origin.order(decision.origin_id, decision.mirror_id)
            return Change(
                row=row,
                state=State.PREEXISTING,
                left_link=left,
                right_link=right,
                reason=f"row_{decision.row}",
            )
        case Detach(keep_mirror_id=True):
            return Change(
                row=row,
                state=State.DETACHED,
                authorship=row.authorship,
                authored_after=row.authored_after,
                left_link=row.left_link,
                right_link=row.right_link,
                reason=f"row_{decision.row}",
            )
        case Detach():
            # The id that we made is gone: an equal link that is there now is not ours.
            left, right = row.origin.order(row.link_on(row.origin), None)
            return Change(
                row=row,
                state=State.DETACHED,
                left_link=left,
                right_link=right,
                reason=f"row_{decision.row}",
            )
        case _:
            raise AssertionError(decision)
