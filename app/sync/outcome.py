"""The outcome of a write: intent closed, ledger row and audit row, in one transaction.

Nothing here talks to Jira. What a caller could not find out it leaves open, for ``confirm``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import LinkId, Side
from app.store import audit, held, intents, ledger, running
from app.store.intents import Intent
from app.store.ledger import Change, NewRow
from app.store.pool import Connection
from app.store.running import Running
from app.sync.context import Context
from app.sync.reserve import entry


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one intent ended.

    ``state`` is ``applied``, ``noop`` or ``failed``; ``code`` says which way, for people.
    ``link_id`` and ``authorship`` are set where a link was found after a create.
    """

    intent: Intent
    state: str
    code: str
    link_id: LinkId | None = None
    authorship: Authorship | None = None
    authored_after: datetime | None = None

    @property
    def key(self) -> LinkKey:
        return self.intent.wanted.key


async def settle(ctx: Context, connection_id: int, outcomes: Sequence[Outcome]) -> None:
    """Commit these outcomes of one connection. One that was closed by somebody else meanwhile
    (a confirmation that came first) is left as it stands."""
    if not outcomes:
        return
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        state = await running.lock_any(conn, connection_id)
        entries = []
        for it in sorted(outcomes, key=lambda out: out.intent.id):
            if await intents.close(conn, it.intent.id, it.state, it.code, now=now):
                await _apply(conn, state, it, now)
                await _note_in_plan(conn, it)
                entries.append(_entry(state, it))
                operation = it.intent.wanted.operation
                ctx.metrics.mutations.labels(state.name, operation, it.state).inc()
        if entries:
            await audit.append(conn, state.id, state.name, entries, engine=ctx.engine, now=now)


def _entry(state: Running, it: Outcome) -> audit.Entry:
    row = entry(state, it.intent, it.state, None, outcome=it.code)
    managed = it.intent.wanted.operation == "remove" or (
        it.state == "applied" and it.authorship is not Authorship.THEIRS
    )
    link_id = it.link_id if it.link_id is not None else row.link_id
    return replace(row, link_id=link_id, managed=managed)


async def _apply(conn: Connection, state: Running, it: Outcome, now: datetime) -> None:
    if it.intent.wanted.operation == "remove":
        await _after_remove(conn, it)
    elif it.link_id is not None:
        await _after_create(conn, state, it, now)


async def _note_in_plan(conn: Connection, it: Outcome) -> None:
    wanted = it.intent.wanted
    if wanted.plan_id is not None and wanted.link_id is not None:
        result = f"{it.state}:{it.code}"
        await held.note_result(conn, wanted.plan_id, wanted.link_id, result)


async def _after_remove(conn: Connection, it: Outcome) -> None:
    """A mirror that is gone while its origin is proven absent is forgotten (row 14)."""
    if it.state != "applied":
        return
    row = await _current(conn, it)
    if row is not None and row.mirror_id == it.intent.wanted.link_id:
        await ledger.forget(conn, row)


async def _after_create(conn: Connection, state: Running, it: Outcome, now: datetime) -> None:
    """Ours and unknown are managed; theirs is preexisting. A key or link that got a row
    meanwhile keeps it: what stands there is then nobody's new link."""
    managed = it.authorship in (Authorship.OURS, Authorship.UNKNOWN)
    row = await _current(conn, it)
    wanted = it.intent.wanted
    left, right = wanted.origin_link, it.link_id
    if wanted.origin is Side.RIGHT:
        left, right = right, left
    if managed and await _managed_by_another(conn, it):
        managed = False
    target = State.MANAGED if managed else State.PREEXISTING
    authorship = it.authorship if managed else None
    if row is not None:
        change = Change(row, target, None, authorship, it.authored_after, left, right, it.code)
        await ledger.change(conn, change, now=now)
    else:
        new = NewRow(
            wanted.key, wanted.right_type, wanted.place, wanted.origin, target, left, right,
            authorship, it.authored_after, it.code,
        )  # fmt: skip
        await ledger.insert(conn, state.id, new, now=now)


async def _managed_by_another(conn: Connection, it: Outcome) -> bool:
    managed = await ledger.managed_keys(conn, [it.intent.wanted.physical])
    owner = managed.get(it.intent.wanted.physical)
    return owner is not None and owner != it.intent.connection_id


async def _current(conn: Connection, it: Outcome) -> Row | None:
    """The row as it is now: while an intent is open nothing else re-plans its link."""
    row_id = it.intent.wanted.ledger_id
    return await ledger.by_id(conn, row_id) if row_id is not None else None
