"""Adopt: take over links that another account made, or manage a detached link again, by a plan.

A request is planned by a worker: every link that is there without being managed is judged by
both sides' changelogs and is in the plan, with its reason where it is left alone. Once a
person approved the plan, each pair is judged again (`adopt_apply`). Nothing in Jira changes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from app.core.accounts import keyed
from app.core.adoption import Pattern, Skip, Window
from app.core.errors import PermanentError, TransientError
from app.core.plan import PlanStatus
from app.store.config import account_salt, active_connection
from app.store.guard import held_plans
from app.store.pool import Database
from app.store.recovery import adoption_patterns, adoptions, restore_changes, restores
from app.store.recovery.adoptions import Adoption
from app.store.recovery.restore_changes import Place
from app.store.writes import plans
from app.store.writes.plans import Planned
from app.sync.look.snapshot import Look
from app.sync.recovery import adopt_apply, adopt_pattern
from app.sync.recovery.adopt_read import Pair, examine, planned
from app.sync.runtime.context import Context
from app.sync.runtime.refusals import Refused

_LOG = structlog.get_logger(__name__)

# Rows of one page: their ends fill a few bulk reads on each side.
PAGE = 100
LEASE = timedelta(minutes=5)
AGAIN = timedelta(seconds=5)
# An issue that its site fails to deliver this often is taken for one that cannot be seen.
PATIENCE = 5
# A request without confirmation is refused at once for so long after its planning was.
REFUSED_FOR = timedelta(hours=1)


async def request(
    database: Database,
    connection_id: int,
    account: str,
    *,
    since: datetime,
    until: datetime,
    confirmed: bool = False,
    requested_by: str,
    now: datetime,
) -> tuple[int, int]:
    """Plan to take over what *account* wrote between *since* and *until*; the ids of the adoption
    and of its plan. *confirmed*: also if it writes links as a person does.

    Raises `PermanentError("connection_unknown")`, and `Refused("account_unconfirmed")` where such a
    plan was refused a moment ago."""
    async with database.transaction() as conn:
        if await active_connection.lock(conn, connection_id) is None:
            raise PermanentError("connection_unknown")
        window = Window(keyed(account, await account_salt.salt(conn)), since, until)
        known = await adoption_patterns.refused_since(
            conn, connection_id, window.account, now - REFUSED_FOR
        )
        if known is not None and not confirmed:
            raise Refused("account_unconfirmed", unlike_a_product(known))
        return await adoptions.insert(
            conn, connection_id, window, confirmed=confirmed, requested_by=requested_by, now=now
        )


def unlike_a_product(found: Pattern) -> str:
    """Why an account is not adopted before it is confirmed, in numbers."""
    return (
        f"it wrote {found.unpaired} links on this connection's issues that are no pairs of a mirror"
        f" and its origin, beside {found.paired} that are: a person's account does so. If it is a"
        " sync product's all the same, repeat account_id as confirm_account"
    )


async def run_once(ctx: Context) -> int:
    """Take every adoption that is due a page further, until none is; how many pages were."""
    pages = 0
    while True:
        async with ctx.database.transaction() as conn:
            it = await adoptions.claim(conn, now=ctx.clock(), lease=LEASE)
        if it is None:
            return pages
        pages += await _further(ctx, it)


async def _further(ctx: Context, it: Adoption) -> bool:
    try:
        patient = it.tries < PATIENCE
        if it.planning:
            due = await _plan(ctx, it, patient=patient)
        else:
            due = await adopt_apply.apply(ctx, it, page=PAGE, patient=patient)
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        _LOG.warning("adoption_put_off", adoption=it.id, code=error.code)
        async with ctx.database.transaction() as conn:
            await adoptions.let_go(conn, it, ctx.clock() + AGAIN, tried=True)
        return False
    async with ctx.database.transaction() as conn:
        await adoptions.let_go(conn, it, due, tried=False)
    return True


async def _plan(ctx: Context, it: Adoption, *, patient: bool) -> datetime | None:
    """One page of rows into the plan; after the last one the plan is sealed."""
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, it.connection_id)
        rows = await adoptions.candidates(conn, it.connection_id, after=it.cursor, limit=PAGE)
        salt = await account_salt.salt(conn)
    if state is None:
        raise PermanentError("connection_unknown")
    if not rows:
        async with ctx.database.connection() as conn:
            over = it.surveyed or await restores.nothing_open(conn, it.plan_id)
        if over:
            await _seal(ctx, it)
        else:
            await adopt_pattern.count_page(ctx, state, it, salt, size=PAGE, patient=patient)
        return None
    look, pairs = await examine(ctx, state, rows, it.window, salt, patient=patient)
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, it.connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        gathers = plan is not None and plan.status is PlanStatus.GATHERING
        if gathers and await adoptions.holds(conn, it):
            now = ctx.clock()
            await plans.put(conn, it.plan_id, [planned(look, pair) for pair in pairs], now=now)
            await restore_changes.close(conn, _skipped(it, look, pairs))
            await adoptions.advance(conn, it, rows[-1].id)
    return None


def _skipped(it: Adoption, look: Look, pairs: Iterable[Pair]) -> dict[Place, str]:
    return {
        _place(it, planned(look, pair)): f"skipped:{pair.verdict.reason}"
        for pair in pairs
        if isinstance(pair.verdict, Skip)
    }


def _place(it: Adoption, change: Planned) -> Place:
    return Place(
        it.plan_id,
        change.site,
        change.type_id,
        change.source.id,
        change.destination.id,
        change.operation,
    )


async def _seal(ctx: Context, it: Adoption) -> None:
    """With the digest of what was planned; a plan with nothing to take over is over at once."""
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        await active_connection.lock_any(conn, it.connection_id)
        plan = await held_plans.lock(conn, it.plan_id)
        if plan is None or plan.status is not PlanStatus.GATHERING:
            return
        if not await adoptions.holds(conn, it):
            return
        pattern = await adoption_patterns.of(conn, it)
        if pattern.unpaired and not it.confirmed:
            await adoption_patterns.refuse(conn, it, now)
            await held_plans.decide(
                conn, it.plan_id, PlanStatus.EXPIRED, by="twinlink", note=unlike_a_product(pattern),
                now=now,
            )  # fmt: skip
            return
        value = await held_plans.value(conn, it.plan_id)
        await held_plans.seal(conn, it.plan_id, value.digest, now)
        await adoptions.sealed(conn, it, now)
        if await restores.nothing_open(conn, it.plan_id):
            note = "nothing to do"
            await held_plans.decide(
                conn, it.plan_id, PlanStatus.APPLIED, by="twinlink", note=note, now=now
            )
    _LOG.warning("adoption_planned", adoption=it.id, plan=it.plan_id, **value.counts)
