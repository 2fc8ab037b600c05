"""Bugs to plant in the service before stories are told: each must break a promise soon.

They change this process for good; only `teller` uses them.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from app.core.connection.modes import Inherits
from app.core.diff import Decision, Forget
from app.core.errors import OutcomeUnknown
from app.core.evidence import Absent, Observed, Presence, Reading, SideFacts, Unknown
from app.core.guard import Window
from app.core.ledger import Authorship, State
from app.core.operations import Operation
from app.jira.client import JiraClient
from app.jira.http import transport
from app.store.config import active_connection
from app.store.guard import counts as guard_counts
from app.store.links import made_links
from app.store.queue import work
from app.store.writes import written_links
from app.sync.guard import held_plans, unpairings, vanished_mirrors
from app.sync.ingest.group_commit import GroupCommit
from app.sync.look import read_sides, update_ledger
from app.sync.reconcile import loop
from app.sync.runtime import heirs
from app.sync.writes import confirm, create, delete, outcome, plan_outcome, read_back


@dataclass(frozen=True, slots=True)
class Bug:
    """`ddl` runs as the schema's owner; `rewrite` changes statements on their way."""

    plant: Callable[[], None]
    ddl: str = ""
    rewrite: tuple[str, str] | None = None


def _put(place: Any, **values: object) -> None:
    """In the place of what is there under these names."""
    for name, value in values.items():
        assert hasattr(place, name), f"{place} has no {name} any more"
        setattr(place, name, value)


def _taken(place: Any, name: str) -> Any:
    return getattr(place, name)


def removal_without_the_last_reads() -> None:
    """Neither by its id nor of the changelog: each of them alone holds it back."""

    async def believe(*_: Any) -> None:
        return None

    _put(delete, _not_proven=believe)


def management_claimed_on_201() -> None:
    """Whose link it is that shows, nobody asks."""
    _put(read_back, authorship_now=lambda *_: "ours")


def retry_of_an_ambiguous_create() -> None:
    once = JiraClient.create_link

    async def stubborn(self: JiraClient, *args: Any, **more: Any) -> Any:
        try:
            return await once(self, *args, **more)
        except OutcomeUnknown:
            return await once(self, *args, **more)

    _put(JiraClient, create_link=stubborn)


def absence_from_a_partial_read() -> None:
    """An issue that does not come back has no links."""
    _take_for_absent(lambda reason: reason.startswith("issue_"))


def absence_from_an_anonymous_answer() -> None:
    """What nobody may see is not there."""
    refusal, read = _taken(transport, "refusal"), JiraClient.read_issues
    seen: ContextVar[list[str] | None] = ContextVar("seen", default=None)

    def polite(*args: Any) -> Any:
        error = refusal(*args)
        found = seen.get()
        if error is not None and error.code == "anonymous" and found is not None:
            found.append(error.code)
            return None
        return error

    async def read_all(self: JiraClient, ids: Sequence[Any], **more: Any) -> Reading:
        found: list[str] = []
        token = seen.set(found)
        try:
            reading = await read(self, ids, **more)
        finally:
            seen.reset(token)
        return (
            replace(reading, unread=dict.fromkeys(reading.unread, "anonymous"))
            if found
            else reading
        )

    _put(transport, refusal=polite)
    _put(JiraClient, read_issues=read_all)
    _take_for_absent(lambda reason: reason == "issue_anonymous")


def _take_for_absent(what: Callable[[str], bool]) -> None:
    glance, presence = _taken(read_sides, "glance"), _taken(read_sides, "presence")

    def hasty_glance(facts: SideFacts) -> Observed:
        found: Observed = glance(facts)
        return Absent({}) if isinstance(found, Unknown) and what(found.reason) else found

    def hasty(facts: SideFacts) -> Presence:
        found: Presence = presence(facts)
        return Absent({}) if isinstance(found, Unknown) and what(found.reason) else found

    _put(read_sides, glance=hasty_glance, presence=hasty)


def generation_not_compared() -> None:
    """What arrived during a look counts as looked at."""
    careful = "WHEN u.ended THEN u.generation"
    assert careful in work._SETTLE
    _put(work, _SETTLE=work._SETTLE.replace(careful, "WHEN u.ended THEN w.generation"))


def guard_counted_in_the_inserting_statement() -> None:
    """One statement's snapshot is older than the lock it waits for."""
    lock_sites, counts = active_connection.lock_sites, guard_counts.of_windows
    newest: ContextVar[int] = ContextVar("newest", default=2**62)

    async def look_first(conn: Any, site_ids: set[int]) -> None:
        newest.set(await conn.fetchval("SELECT coalesce(max(id), 0) FROM intents"))
        await lock_sites(conn, site_ids)

    async def count(conn: Any, guarded: Sequence[active_connection.Running], now: Any) -> Any:
        [state] = guarded
        late = await conn.fetchval(
            """SELECT count(*) FROM intents WHERE connection_id = $1 AND operation = 'remove'
               AND guarded AND id > $2""",
            state.id,
            newest.get(),
        )
        found = (await counts(conn, guarded, now))[state.id]
        return {state.id: [replace(it, used=max(0, it.used - late)) for it in found]}

    _put(active_connection, lock_sites=look_first)
    _put(guard_counts, of_windows=count)


def ledger_row_before_outcome() -> None:
    """In a transaction of its own."""
    settle = outcome.settle

    async def hasty(ctx: Any, connection_id: int, outcomes: Any, **more: Any) -> None:
        made = [
            it for it in outcomes if it.link_id and it.intent.wanted.operation is Operation.CREATE
        ]
        if any(it.intent.wanted.purpose == "sync" for it in made):
            async with ctx.database.transaction() as conn:
                state = await active_connection.lock_any(conn, connection_id)
                for it in made:
                    if it.intent.wanted.purpose == "sync":
                        await outcome._after_create(conn, state, it, ctx.clock())
        await settle(ctx, connection_id, outcomes, **more)

    for module in (outcome, create, confirm):
        _put(module, settle=hasty)


def restored_mirror_made_managed() -> None:
    detached, with_mirror = plan_outcome._detached, plan_outcome._with_mirror

    def manage(*args: Any) -> Any:
        change = with_mirror(*args)
        rests = change.state is not State.DETACHED
        return change if rests else replace(change, state=State.MANAGED)

    _put(
        plan_outcome,
        _detached=lambda *args: replace(detached(*args), state=State.MANAGED),
        _with_mirror=manage,
    )


def forget_on_one_sided_absence() -> None:
    decide = _taken(loop, "decide")

    def forgetful(row: Any, left: Observed, right: Observed, *more: Any) -> Decision:
        found: Decision = decide(row, left, right, *more)
        gone = row is not None and any(isinstance(it, Absent) for it in (left, right))
        return Forget() if gone else found

    _put(loop, decide=forgetful)


def lock_per_connection() -> None:
    """Whoever else writes the same physical link is not seen."""

    async def nobody(*_: Any) -> set[Any]:
        return set()

    _put(written_links, open_at=nobody)


def authorship_from_the_cache() -> None:
    """What was ours when it was made, is."""
    ask = _taken(delete, "authors")

    async def remember(ctx: Any, client: Any, asked: Any) -> Any:
        async with ctx.database.connection() as conn:
            known = await conn.fetch(
                """SELECT CASE origin WHEN 'left' THEN right_link_id ELSE left_link_id END AS id
                   FROM ledger WHERE mirror_site_id = $1 AND authorship = 'ours'""",
                client.site.id,
            )
        ours = {str(it["id"]) for it in known}
        if all(it.link.id in ours for it in asked):
            return [Authorship.OURS for _ in asked]
        return await ask(ctx, client, asked)

    _put(delete, authors=remember)


def removal_without_the_changelog() -> None:
    """The same id, type, ends and direction: so it is the same link."""

    async def believe(_ctx: Any, _client: Any, asked: Any) -> Any:
        return [Authorship.OURS for _ in asked]

    _put(delete, authors=believe)


def origin_made_by_us() -> None:
    """A mirror without a row is a link like any other."""

    async def nothing(*_: Any) -> dict[Any, Any]:
        return {}

    _put(made_links, among=nothing)


def windows_reset_by_rejection() -> None:
    reject = held_plans.reject

    async def forgiving(database: Any, plan_id: int, digest: str, **more: Any) -> Any:
        plan = await reject(database, plan_id, digest, **more)
        async with database.transaction() as conn:
            await held_plans.arm(conn, plan.connection_id, more["now"])
        return plan

    _put(held_plans, reject=forgiving)


def heir_in_any_mode() -> None:
    """Another connection records the mirror, so it takes it over."""
    _put(heirs, inherits=lambda *_: Inherits.ABLE)


def vanished_without_slot() -> None:
    """What is gone is let go, however much it is."""

    async def all_of_it(*_: Any) -> set[Any]:
        return set()

    _put(vanished_mirrors, admit=all_of_it)
    _put(update_ledger, admit=all_of_it)


def release_without_slot() -> None:
    """What a field no longer names is let go, however much it is."""

    async def endless(*_: Any) -> list[Window]:
        return [Window("hour", 3600, 10**6, 0)]

    _put(unpairings, _windows=endless)


def accepted_before_the_commit() -> None:
    """202 as soon as a delivery is taken in."""

    async def at_once(self: GroupCommit, arrival: Any) -> Any:
        task = asyncio.ensure_future(add(self, arrival))
        task.add_done_callback(lambda it: it.cancelled() or it.exception())
        return "accepted"

    add = GroupCommit.add
    _put(GroupCommit, add=at_once)


BUGS = {
    it.__name__: Bug(it)
    for it in (
        removal_without_the_last_reads,
        management_claimed_on_201,
        retry_of_an_ambiguous_create,
        absence_from_a_partial_read,
        absence_from_an_anonymous_answer,
        generation_not_compared,
        guard_counted_in_the_inserting_statement,
        ledger_row_before_outcome,
        restored_mirror_made_managed,
        forget_on_one_sided_absence,
        accepted_before_the_commit,
        authorship_from_the_cache,
        removal_without_the_changelog,
        origin_made_by_us,
        windows_reset_by_rejection,
        heir_in_any_mode,
        vanished_without_slot,
        release_without_slot,
    )
}
BUGS["lock_per_connection"] = Bug(
    lock_per_connection,
    ddl="""DROP INDEX intents_open; CREATE UNIQUE INDEX intents_open ON intents
           (connection_id, site_id, type_id, key_source_id, key_destination_id)
           WHERE state = 'open'""",
    rewrite=(
        "ON CONFLICT (site_id, type_id, key_source_id, key_destination_id)",
        "ON CONFLICT (connection_id, site_id, type_id, key_source_id, key_destination_id)",
    ),
)
