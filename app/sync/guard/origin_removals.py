"""Who removed the origins of what a plan holds: the first question of who has to decide it.

Asked once, when the plan is sealed, as bulk traffic: the removals themselves ask for nothing more.
What a site does not say then stays unknown; the plan is held all the same.
"""

import asyncio
from collections.abc import Sequence

import structlog

from app.core.errors import PermanentError, TransientError
from app.core.incidents import IncidentKind
from app.core.removed_by import OriginRemoval, evidence, facts, origin_removal
from app.store.config import account_salt, active_connection
from app.store.guard import origins
from app.store.guard.origins import Origin
from app.sync.incidents import timeline
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types

_LOG = structlog.get_logger(__name__)
_SECONDS = 60.0
"""For one site. Other plans wait to be sealed meanwhile."""


async def note(ctx: Context, connection_id: int, plan_id: int) -> None:
    """Write to each removal of the plan who removed its origin and when, and to the incident how
    many accounts they were."""
    async with ctx.database.connection() as conn:
        wanted = await origins.of_plan(conn, plan_id)
        salt = await account_salt.salt(conn)
    found: list[tuple[Origin, OriginRemoval]] = []
    for site in sorted({it.site for it in wanted}):
        try:
            async with asyncio.timeout(_SECONDS):
                found += await _asked(ctx, site, [it for it in wanted if it.site == site], salt)
        except (TransientError, PermanentError, TimeoutError) as error:
            _LOG.warning("origin_removals_unknown", plan=str(plan_id), cause=type(error).__name__)
    if not found:
        return
    told = {
        it.mirror: evidence(seen, f"{it.web}/browse/{it.link.source.key}") for it, seen in found
    }
    detail = facts([seen for _, seen in found])
    async with ctx.database.transaction() as conn:
        await active_connection.lock_any(conn, connection_id)
        await origins.note(conn, plan_id, told)
        await timeline.note_open(
            conn, IncidentKind.GUARD_TRIPPED, connection_id, detail, ctx.clock()
        )


async def _asked(
    ctx: Context, site: int, wanted: Sequence[Origin], salt: bytes
) -> list[tuple[Origin, OriginRemoval]]:
    client = await ctx.sites.client(site)
    ends = {end for it in wanted for end in (it.link.source.id, it.link.destination.id)}
    reading = await client.read_issues(sorted(ends, key=int), changelog=True, bulk=True)
    types = await site_types(ctx, site)
    own = client.site.own
    return [
        (it, seen)
        for it in wanted
        if (seen := origin_removal(reading.issues, it.link, types, own, salt)) is not None
    ]
