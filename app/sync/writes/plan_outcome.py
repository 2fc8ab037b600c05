"""What becomes of the ledger and of the plan when a link came back, or was taken back.

A mirror comes back *detached* with its id and authorship: if its origin is there, the next look
manages it again (row 11 of the decision); if not, nothing ever removes it. So nothing here has
to know the origin's side, and what cannot be read there does no harm.

===========================  ======================================================
row for the link's key       after a create
===========================  ======================================================
no twins, or not mapped      none: the link stays unmanaged
none                         `restore`: detached, ours; `rescue`: none
the link is its origin       unchanged: the look finds the origin again
not made by us, `rescue`   unchanged: the link stays what it is to us
suspended, orphaned          stays so, over a detached mirror
any other                    detached, ours
===========================  ======================================================
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from app.core.ledger import UNTWINNED, Authorship, Row, State
from app.core.links import LinkId
from app.core.operations import Ended, Status
from app.core.restore import Again, verdict
from app.store.config.active_connection import Running
from app.store.links import ledger
from app.store.links.ledger import Change, NewRow
from app.store.pool import Connection
from app.store.recovery import restore_changes
from app.store.recovery.restore_changes import Place
from app.store.writes.intents import Intent, Wanted

# Between two tries of one change; twice as long at every further one.
FIRST_BACK_OFF = 2.0
LONGEST_BACK_OFF = 60.0
_RESTING = (State.SUSPENDED, State.ORPHANED)


class Ending(Protocol):
    """The outcome of one intent, as `outcome` has it."""

    @property
    def intent(self) -> Intent: ...
    @property
    def state(self) -> Ended: ...
    @property
    def code(self) -> str: ...
    @property
    def link_id(self) -> LinkId | None: ...
    @property
    def authorship(self) -> Authorship | None: ...
    @property
    def authored_after(self) -> datetime | None: ...
    @property
    def final(self) -> bool: ...


async def settle(
    conn: Connection, state: Running, outcomes: Sequence[Ending], now: datetime
) -> None:
    """Ledger and plan after these outcomes, in a handful of statements: the connection is locked
    meanwhile, and others wait."""
    if not outcomes:
        return
    await _came_back(conn, state, outcomes, now)
    for it in outcomes:
        if it.intent.wanted.purpose == "undo":
            await _taken_back(conn, it, now)
    await _note_in_plan(conn, outcomes, now)


async def _came_back(
    conn: Connection, state: Running, outcomes: Sequence[Ending], now: datetime
) -> None:
    """See the table. A link that a person made at the same moment is theirs, and no row's."""
    made = [it for it in outcomes if it.state is Status.APPLIED and it.link_id is not None]
    made = [it for it in made if it.intent.wanted.key != UNTWINNED]
    rows = await ledger.by_keys(conn, state.id, [it.intent.wanted.key for it in made])
    fresh = []
    for it in made:
        wanted = it.intent.wanted
        row = rows.get(wanted.key)
        if row is None:
            fresh += [_detached(wanted, it)] if wanted.purpose == "restore" else []
        elif row.mirror is state.side_of(wanted.site) and (
            wanted.purpose == "restore" or row.made_by_us
        ):
            await ledger.change(conn, _with_mirror(row, it), now=now)
    await ledger.insert_all(conn, state.id, fresh, now=now)


def _detached(wanted: Wanted, it: Ending) -> NewRow:
    left, right = wanted.origin.order(wanted.origin_link, it.link_id)
    return NewRow(
        key=wanted.key,
        right_type=wanted.right_type,
        place=wanted.place,
        origin=wanted.origin,
        state=State.DETACHED,
        left_link=left,
        right_link=right,
        authorship=it.authorship,
        authored_after=it.authored_after,
        reason=it.code,
    )


def _with_mirror(row: Row, it: Ending) -> Change:
    left, right = row.origin.order(row.link_on(row.origin), it.link_id)
    resting = row.state in _RESTING
    return Change(
        row=row,
        state=row.state if resting else State.DETACHED,
        former=State.DETACHED if resting else None,
        authorship=it.authorship,
        authored_after=it.authored_after,
        left_link=left,
        right_link=right,
        reason=it.code,
    )


async def _taken_back(conn: Connection, it: Ending, now: datetime) -> None:
    """The mirror of an undone create is gone; its row keeps none, so that an origin
    that is there does not make it again."""
    row_id = it.intent.wanted.ledger_id
    row = await ledger.by_id(conn, row_id) if row_id is not None else None
    if it.state is not Status.APPLIED or row is None or row.mirror_id != it.intent.wanted.link_id:
        return
    left, right = row.origin.order(row.link_on(row.origin), None)
    change = Change(
        row=row,
        state=State.DETACHED,
        left_link=left,
        right_link=right,
        reason="undone",
    )
    await ledger.change(conn, change, now=now)


async def _note_in_plan(conn: Connection, outcomes: Sequence[Ending], now: datetime) -> None:
    """Close the changes of these outcomes, or have them tried again."""
    placed = {place: it for it in outcomes if (place := place_of(it.intent.wanted)) is not None}
    tries = await restore_changes.tries(conn, list(placed))
    results: dict[Place, str] = {}
    again: dict[bool, dict[Place, datetime]] = {True: {}, False: {}}
    for place, tried in tries.items():
        it = placed[place]
        ended = verdict(it.state, it.code, final=it.final, tries=tried)
        if isinstance(ended, Again):
            seconds = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2**tried)
            again[ended.counted][place] = now + timedelta(seconds=seconds)
        else:
            results[place] = ended
    links = {place: it.link_id for place, it in placed.items() if it.link_id is not None}
    await restore_changes.close(conn, results, links=links)
    for counted, due in again.items():
        await restore_changes.put_off(conn, due, counted=counted)


def place_of(wanted: Wanted) -> Place | None:
    """The change of a plan that asked for this write; None where no plan did."""
    if wanted.plan_id is None:
        return None
    return Place(
        wanted.plan_id,
        wanted.site,
        wanted.type_id,
        wanted.source.id,
        wanted.destination.id,
        wanted.operation,
    )
