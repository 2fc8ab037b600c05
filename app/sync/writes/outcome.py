"""The outcome of a write: intent closed, ledger row and audit row, in one transaction.

Nothing here talks to Jira. What a caller could not find out it leaves open, for `confirm`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from app.core.config import OnMirrorRemoved
from app.core.incidents import Impact, IncidentKind
from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import LinkId
from app.core.operations import Ended, Operation, Status
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.guard import held_changes
from app.store.links import ledger, managers
from app.store.links.ledger import Change, NewRow
from app.store.pool import Connection
from app.store.queue.work import Cause, raise_pairs
from app.store.writes import audit, intents, late_writes, release
from app.store.writes.audit_entry import of_intent
from app.store.writes.intents import Intent
from app.sync.incidents import timeline
from app.sync.runtime.context import Context
from app.sync.writes import plan_outcome


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one intent ended.

    `code` says in which way it ended, for people.
    `link_id` and `authorship` are set where a link was found after a create. `final` is
    False where nothing was done that an approved plan may not try again. `taken_away`: a create
    took effect, and another account removed the link before we knew of it.
    """

    intent: Intent
    state: Ended
    code: str
    link_id: LinkId | None = None
    authorship: Authorship | None = None
    authored_after: datetime | None = None
    final: bool = True
    taken_away: bool = False

    @property
    def key(self) -> LinkKey:
        return self.intent.wanted.key


async def settle(
    ctx: Context,
    connection_id: int,
    outcomes: Sequence[Outcome],
    *,
    confirmed: bool = False,
    corrects: bool = False,
) -> None:
    """Commit these outcomes of one connection. One that another worker closed meanwhile
    (a confirmation that came first) is left as it is. *confirmed*: in the same transaction
    their pairs are looked at again, since no worker waits for them any more. *corrects*: they
    were closed as not having acted, and follow that outcome in the audit."""
    if not outcomes:
        return
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        state = await active_connection.lock_any(conn, connection_id)
        named = [(it.intent.id, it.state, it.code) for it in outcomes]
        end = late_writes.correct if corrects else intents.close
        closed = await end(conn, named, now=now)
        ours = sorted(
            (it for it in outcomes if it.intent.id in closed), key=lambda out: out.intent.id
        )
        entries = []
        for it in ours:
            if it.intent.wanted.purpose == "sync":
                await _apply(conn, state, it, now)
                await _note_in_plan(conn, it)
            entries.append(await _entry(conn, state, it))
            operation = it.intent.wanted.operation
            ctx.metrics.mutations.labels(state.name, operation, it.state).inc()
        planned = [it for it in ours if it.intent.wanted.purpose != "sync"]
        await plan_outcome.settle(conn, state, planned, now)
        if entries:
            await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)
        await _look_again(conn, connection_id, outcomes, now, confirmed=confirmed or corrects)
        if corrects and ours:
            await _tell_corrected(conn, connection_id, ours, now)


async def _tell_corrected(
    conn: Connection, connection_id: int, ours: Sequence[Outcome], now: datetime
) -> None:
    """What was reported of these writes was wrong until now."""
    made = sum(it.intent.wanted.operation is Operation.CREATE for it in ours)
    detail = {"made": made, "removed": len(ours) - made}
    await timeline.open_or_note(
        conn, IncidentKind.OUTCOME_CORRECTED, connection_id=connection_id, now=now, detail=detail,
        impact=Impact.MAJOR,
    )  # fmt: skip


async def _look_again(
    conn: Connection,
    connection_id: int,
    outcomes: Sequence[Outcome],
    now: datetime,
    *,
    confirmed: bool,
) -> None:
    """After a confirmation no worker waits for these pairs any more; a mirror that came back
    is managed again by the look that finds its origin."""
    again = [it for it in outcomes if confirmed or it.intent.wanted.purpose != "sync"]
    if not again:
        return
    first = again[0].intent
    cause = Cause("plan", str(first.wanted.plan_id))
    if confirmed:
        cause = Cause("confirm", str(first.id))
    twins = sorted({twin for it in again for twin in it.key.twins})
    # Five thousand links that came back must not keep what people do now waiting.
    bulk = not confirmed
    await raise_pairs(conn, connection_id, twins, cause=cause, now=now, bulk=bulk)


async def _entry(conn: Connection, state: Running, it: Outcome) -> audit.Entry:
    wanted = it.intent.wanted
    made = it.state is Status.APPLIED and it.authorship is not Authorship.THEIRS
    managed = wanted.operation is Operation.REMOVE or (made and wanted.purpose != "rescue")
    row = of_intent(
        state, it.intent, it.state, {"outcome": it.code}, managed=managed, link_id=it.link_id
    )
    if not row.type:
        # What was mapped once may be put back although it is not mapped any more.
        names = await release.type_names(conn, wanted.site)
        row = replace(row, type=names.get(int(wanted.type_id), ""))
    return row


async def _apply(conn: Connection, state: Running, it: Outcome, now: datetime) -> None:
    match it.intent.wanted.operation:
        case Operation.REMOVE:
            await _after_remove(conn, it)
        case Operation.CREATE:
            if it.link_id is not None:
                await _after_create(conn, state, it, now)
            elif it.taken_away and state.config.on_mirror_removed is OnMirrorRemoved.DETACH:
                await _after_taken_away(conn, state, it, now)
        case other:
            assert_never(other)


async def _note_in_plan(conn: Connection, it: Outcome) -> None:
    wanted = it.intent.wanted
    if it.final and wanted.plan_id is not None and wanted.mirror is not None:
        result = f"{it.state}:{it.code}"
        await held_changes.note_result(conn, wanted.plan_id, wanted.mirror, result)


async def _after_remove(conn: Connection, it: Outcome) -> None:
    """A mirror that is gone while its origin is proven absent is forgotten (row 14)."""
    if it.state is not Status.APPLIED:
        return
    row = await _current(conn, it)
    if row is not None and row.mirror_id == it.intent.wanted.link_id:
        await ledger.forget(conn, row)


async def _after_create(conn: Connection, state: Running, it: Outcome, now: datetime) -> None:
    """Ours and unknown are managed; theirs is preexisting. A row that another look wrote for
    this key meanwhile takes the truth over; one at rest goes on resting with it."""
    wanted = it.intent.wanted
    row = await _current(conn, it) or await ledger.by_key(conn, state.id, wanted.key)
    ours = it.authorship in (Authorship.OURS, Authorship.UNKNOWN)
    managed = ours and not await _managed_by_another_row(conn, it, row)
    target = State.MANAGED if managed else State.PREEXISTING
    authorship = it.authorship if managed else None
    left, right = wanted.origin.order(wanted.origin_link, it.link_id)
    if row is not None:
        resting = row.state in (State.SUSPENDED, State.ORPHANED)
        change = Change(
            row=row,
            state=row.state if resting else target,
            former=target if resting else None,
            authorship=authorship,
            authored_after=it.authored_after,
            left_link=left,
            right_link=right,
            reason=it.code,
        )
        await ledger.change(conn, change, now=now)
        return
    new = NewRow(
        key=wanted.key,
        right_type=wanted.right_type,
        place=wanted.place,
        origin=wanted.origin,
        state=target,
        left_link=left,
        right_link=right,
        authorship=authorship,
        authored_after=it.authored_after,
        reason=it.code,
    )
    if await ledger.insert(conn, state.id, new, now=now) is None:
        # The physical link found a manager in this very moment: to us it is preexisting.
        late = replace(new, state=State.PREEXISTING, authorship=None)
        await ledger.insert(conn, state.id, late, now=now)


async def _after_taken_away(conn: Connection, state: Running, it: Outcome, now: datetime) -> None:
    """As for any mirror that another account removed (row 5): it is not made again."""
    wanted = it.intent.wanted
    if await _current(conn, it) or await ledger.by_key(conn, state.id, wanted.key):
        return
    left, right = wanted.origin.order(wanted.origin_link, None)
    new = NewRow(
        key=wanted.key,
        right_type=wanted.right_type,
        place=wanted.place,
        origin=wanted.origin,
        state=State.DETACHED,
        left_link=left,
        right_link=right,
        reason=it.code,
    )
    await ledger.insert(conn, state.id, new, now=now)


async def _managed_by_another_row(conn: Connection, it: Outcome, row: Row | None) -> bool:
    managed = await managers.managed_keys(conn, [it.intent.wanted.physical])
    owner = managed.get(it.intent.wanted.physical)
    return owner is not None and (row is None or owner[1].id != row.id)


async def _current(conn: Connection, it: Outcome) -> Row | None:
    """The row as it is now: while an intent is open nothing else re-plans its link."""
    row_id = it.intent.wanted.ledger_id
    return await ledger.by_id(conn, row_id) if row_id is not None else None
