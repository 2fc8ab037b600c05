"""Whether the database has the schema that this code expects.

During an upgrade the old workers meet the new schema, and after a step back new workers an old one.
Neither claims anything meanwhile: the claim itself asks (`app.store.queue.work`), every intent asks
(`app.store.config.active_connection`), and this watch keeps the timers of the process at rest, says
so, and lets all go on once the two match.
"""

from collections.abc import Awaitable, Callable

import structlog

from app.core.errors import TransientError
from app.core.incidents import Impact, IncidentKind
from app.store import schema
from app.store.migrations.head import latest
from app.store.schema import REMEDIES, Fit
from app.sync.incidents.timeline import open_or_note
from app.sync.runtime.context import Context
from app.sync.runtime.write_gate import SCHEMA

_LOG = structlog.get_logger(__name__)

MISMATCH = IncidentKind.SCHEMA_MISMATCH
_NOTED_EVERY = 20
"""Looks between two entries in the incident: a look comes every few seconds."""


class SchemaWatch:
    """One per worker process. Nothing fits until the first look."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._found: str | None = None
        self._looks = 0
        self.fits = False

    async def run_once(self) -> bool:
        """One look; answers whether it fits."""
        async with self._ctx.database.connection() as conn:
            found = await schema.revision(conn)
        fit = schema.fit(found, latest())
        if fit is Fit.SAME:
            if not self.fits and self._looks:
                _LOG.warning("schema_fits", schema=found)
            self.fits, self._looks = True, 0
            self._ctx.permit.grant(by=SCHEMA)
            return True
        self._ctx.permit.refuse(MISMATCH, by=SCHEMA)
        if self.fits or self._found != found or not self._looks:
            _LOG.error(MISMATCH, found=found, expected=latest(), hint=REMEDIES[fit])
        self.fits, self._found = False, found
        if self._looks % _NOTED_EVERY == 0:
            await self._say(found or "none", fit)
        self._looks += 1
        return False

    def guarded(self, run_once: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        """*run_once*, where the schema fits; nothing where it does not."""

        async def run() -> object:
            return await run_once() if self.fits else None

        return run

    def unfit(self, run_once: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        """*run_once*, where the schema does not fit."""

        async def run() -> object:
            return None if self.fits else await run_once()

        return run

    async def _say(self, found: str, fit: Fit) -> None:
        """The incident's tables may have another form there: the log has said it already."""
        try:
            async with self._ctx.database.transaction() as conn:
                await open_or_note(
                    conn,
                    MISMATCH,
                    now=self._ctx.clock(),
                    detail={"found": found, "expected": latest(), "remedy": REMEDIES[fit]},
                    impact=Impact.MAJOR,
                )
        except TransientError:
            raise
        except Exception:
            _LOG.exception("incident_not_opened", kind=MISMATCH)
