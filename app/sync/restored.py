"""What becomes of the ledger and of the plan when a link came back, or was taken back.

A mirror comes back *detached* with its id and authorship: if its origin is there, the next look
manages it again (row 11 of the decision); if not, nothing ever removes it. So nothing here has
to know the origin's side, and what cannot be read there does no harm.

===========================  ======================================================
row for the link's key       after a create
===========================  ======================================================
no twins, or not mapped      none: the link stays unmanaged
none                         ``restore``: detached, ours; ``rescue``: none
the link is its origin       unchanged: the look finds the origin again
not made by us, ``rescue``   unchanged: the link stays what it is to us
at rest                      stays at rest, over a detached mirror
any other                    detached, ours
===========================  ======================================================
"""

from datetime import datetime, timedelta
from typing import Protocol

from app.core.ledger import UNTWINNED, Authorship, Row, State
from app.core.links import LinkId, Side
from app.core.restore import Again, verdict
from app.store import ledger, restore_changes
from app.store.intents import Intent, Wanted
from app.store.ledger import Change, NewRow
from app.store.pool import Connection
from app.store.restore_changes import Place
from app.store.running import Running

# Between two tries of one change; twice as long at every further one.
FIRST_BACK_OFF = 2.0
LONGEST_BACK_OFF = 60.0
_RESTING = (State.SUSPENDED, State.ORPHANED)


class Ended(Protocol):
    """The outcome of one intent, as ``outcome`` has it."""

    @property
    def intent(self) -> Intent: ...
    @property
    def state(self) -> str: ...
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


async def came_back(conn: Connection, state: Running, it: Ended, now: datetime) -> None:
    """See the table. A link that a person made at the same moment is theirs, and no row's."""
    wanted = it.intent.wanted
    if it.state != "applied" or it.link_id is None or wanted.key == UNTWINNED:
        return
    row = await ledger.by_key(conn, state.id, wanted.key)
    if row is None:
        if wanted.purpose == "restore":
            await ledger.insert(conn, state.id, _detached(wanted, it), now=now)
        return
    if row.mirror is not state.side_of(wanted.site):
        return
    if wanted.purpose == "restore" or row.made_by_us:
        await ledger.change(conn, _with_mirror(row, it), now=now)


def _detached(wanted: Wanted, it: Ended) -> NewRow:
    left, right = _by_side(wanted.origin, wanted.origin_link, it.link_id)
    return NewRow(
        wanted.key, wanted.right_type, wanted.place, wanted.origin, State.DETACHED, left, right,
        it.authorship, it.authored_after, it.code,
    )  # fmt: skip


def _with_mirror(row: Row, it: Ended) -> Change:
    left, right = _by_side(row.origin, row.link_on(row.origin), it.link_id)
    resting = row.state in _RESTING
    return Change(
        row,
        row.state if resting else State.DETACHED,
        State.DETACHED if resting else None,
        it.authorship,
        it.authored_after,
        left,
        right,
        it.code,
    )


async def taken_back(conn: Connection, row: Row | None, it: Ended, now: datetime) -> None:
    """The mirror of an undone create is gone; its row rests without one, so that an origin
    that is there does not make it again."""
    if it.state != "applied" or row is None or row.mirror_id != it.intent.wanted.link_id:
        return
    left, right = _by_side(row.origin, row.link_on(row.origin), None)
    change = Change(row, State.DETACHED, left_link=left, right_link=right, reason="undone")
    await ledger.change(conn, change, now=now)


async def note_in_plan(conn: Connection, it: Ended, now: datetime) -> None:
    """Close the change of this outcome, or have it tried again."""
    place = place_of(it.intent.wanted)
    tries = await restore_changes.tries(conn, place) if place else None
    if place is None or tries is None:
        return
    ended = verdict(it.state, it.code, final=it.final, tries=tries)
    if isinstance(ended, Again):
        seconds = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2**tries)
        due = now + timedelta(seconds=seconds)
        await restore_changes.put_off(conn, {place: due}, counted=ended.counted)
        return
    made = {"restored_link": it.link_id} if it.link_id is not None else {}
    await restore_changes.close(conn, {place: ended}, evidence=made)


def place_of(wanted: Wanted) -> Place | None:
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


def _by_side(
    origin: Side, origin_id: LinkId | None, mirror_id: LinkId | None
) -> tuple[LinkId | None, LinkId | None]:
    return (origin_id, mirror_id) if origin is Side.LEFT else (mirror_id, origin_id)
