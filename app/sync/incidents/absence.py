"""Notices that no worker lives while work is due. Workers follow every other condition, and this
one none of them can; so API processes do. The next worker sees that it is over."""

import asyncio

import structlog

from app.core.errors import TwinlinkError
from app.core.incidents import Impact, IncidentKind
from app.store.alerts import absent_workers
from app.store.alerts.condition import Condition
from app.store.alerts.incidents import Place
from app.sync.incidents.watch import follow
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)
KIND = IncidentKind.WORKERS_ABSENT
SECONDS = 30.0


async def run_once(ctx: Context) -> bool:
    """One look; answers whether work is due and no worker lives."""
    async with ctx.database.connection() as conn:
        late = await absent_workers.late(conn, ctx.clock())
    if late is None:
        return False
    detail = {"since": late.since.isoformat(timespec="seconds")}
    if late.last_sign is not None:
        detail["last_sign"] = late.last_sign.isoformat(timespec="seconds")
    await follow(ctx, Condition(KIND, Place(), late.since, Impact.MAJOR, detail))
    return True


async def keep(ctx: Context) -> None:
    """Look for ever; an error costs one turn."""
    while True:
        await asyncio.sleep(SECONDS)
        try:
            await run_once(ctx)
        except TwinlinkError as error:
            _LOG.warning("absence_put_off", code=error.code)
        except Exception:
            _LOG.exception("absence_broke")
