"""Looks for what the database shows to be wrong, follows it, and notices when it is over.

Runs in any number of workers at once: the table lets one incident be open per kind and place.
"""

from datetime import datetime, timedelta

from app.core.incident_words import plan_message, second_message
from app.core.incidents import (
    QUIET,
    SERVICE,
    Detail,
    IncidentKind,
    State,
    correlated,
    traits_of,
)
from app.store.alerts import incident_conditions, incidents, notifications
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Incident, Place
from app.store.guard import facts as guard_facts
from app.store.guard.facts import Facts
from app.store.pool import Connection
from app.sync.incidents.timeline import note, open_or_note, quieten, resolve
from app.sync.runtime.context import Context

# How old "last seen" may be before it is written again while nothing changes.
_SEEN = timedelta(minutes=1)
_ONCE = timedelta(days=14)


async def run_once(ctx: Context) -> int:
    """One look; answers how many incidents are open."""
    async with ctx.database.connection() as conn:
        looked_at = ctx.clock()
        found = [it for query in incident_conditions.ALL for it in await query(conn, looked_at)]
    found.sort(key=lambda it: it.kind)
    for it in found:
        await follow(ctx, it)
    left = await _let_go(ctx, {(it.kind, it.place) for it in found}, looked_at)
    await _tell_held(ctx)
    return left


async def follow(ctx: Context, it: Condition) -> None:
    """Open an incident, or write into its timeline what is new."""
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        detail = await _detail(conn, it)
        known = await incidents.lock_open(conn, it.kind, it.place)
        if known is not None:
            if _is_news(known, it, detail, now):
                await note(conn, known, detail, it.impact, now)
        elif it.certain and not await incidents.resolved_since(conn, it.kind, it.place, it.since):
            await open_or_note(
                conn,
                it.kind,
                connection_id=it.place.connection_id,
                site_id=it.place.site_id,
                now=now,
                detail=detail,
                impact=it.impact,
            )


def _is_news(known: Incident, it: Condition, detail: Detail, now: datetime) -> bool:
    return (
        {**known.facts, **detail} != known.facts
        or it.impact.rank > known.impact.rank
        or known.quiet_since is not None
        or now - known.last_seen_at >= _SEEN
    )


async def _detail(conn: Connection, it: Condition) -> Detail:
    if it.kind != IncidentKind.GUARD_TRIPPED or it.place.connection_id is None:
        return it.detail
    facts = await guard_facts.of_connection(conn, it.place.connection_id, it.since)
    return {**it.detail, **guard_detail(facts)}


def guard_detail(facts: Facts) -> dict[str, str | int]:
    """Counts, cause, and what became active shortly before it began."""
    found: dict[str, str | int] = {
        "removed": facts.removed,
        "held": facts.held,
        "revision": facts.revision,
        "revision_since": _at(facts.revision_since),
    }
    if facts.first is not None and facts.last is not None:
        found |= {"first_removal": _at(facts.first), "last_removal": _at(facts.last)}
        found["causes"] = ", ".join(f"{kind} {n}" for kind, n in facts.causes.items())
        found["engines"] = ", ".join(facts.engines)
    change = correlated(facts.first, facts.changes)
    if change is not None:
        found["correlated"] = f"{change.what}, active since {_at(change.at)}"
        if change.before is not None:
            found["revision_before"] = change.before
    return found


def _at(moment: datetime) -> str:
    """Rounded down, so that what is restored from then on includes it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def _let_go(ctx: Context, lasting: set[tuple[str, Place]], looked_at: datetime) -> int:
    """What is not seen any more is watched; what was watched for a quiet day is over. Answers how
    many are open still."""
    async with ctx.database.connection() as conn:
        ids = [it.id for it in await incidents.open_ones(conn)]
    left = 0
    for incident_id in ids:
        async with ctx.database.transaction() as conn:
            it, now = await incidents.lock(conn, incident_id), ctx.clock()
            if it is None or it.state is State.RESOLVED:
                continue
            if it.quiet_since is None and _is_gone(it, lasting, looked_at):
                await quieten(conn, it, now)
            elif _was_quiet(it, now):
                await resolve(conn, it, by=SERVICE, text="Quiet for a day.", now=now)
                continue
            left += 1
    return left


def _is_gone(it: Incident, lasting: set[tuple[str, Place]], looked_at: datetime) -> bool:
    if it.kind in incident_conditions.SAID:
        return it.last_seen_at <= looked_at - incident_conditions.SAID[it.kind]
    # What was noted after the look may be younger than its answer.
    seen = (it.kind, it.place) in lasting or it.last_seen_at >= looked_at
    return traits_of(it.kind).lasting and not seen


def _was_quiet(it: Incident, now: datetime) -> bool:
    quiet = it.quiet_since
    return it.state is State.MONITORING and quiet is not None and quiet <= now - QUIET


async def _tell_held(ctx: Context) -> None:
    """Each held plan once, and once more when it waits for its second owner: holding is safe,
    but a person has to decide."""
    async with ctx.database.connection() as conn:
        untold = await incident_conditions.untold_plans(conn)
    if not untold:
        return
    async with ctx.database.transaction() as conn:
        for plan in untold:
            say = second_message if plan.second else plan_message
            said = say(plan.id, plan.connection, plan.changes, plan.expires_at)
            await notifications.put(
                conn,
                said.key,
                title=said.title,
                body=said.body,
                paging=False,
                now=ctx.clock(),
                every=_ONCE,
            )
