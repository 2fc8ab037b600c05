"""Before its first write, a version that is new here makes the recorded decisions again.

Where it would change something otherwise than the versions before it, its workers claim nothing and
write nothing; those of the other versions go on. A person accepts the differences by their digest,
or rolls the release back (ADR 0032).
"""

import structlog

from app.core.incidents import Impact, IncidentKind
from app.core.recorded.engine import Judged, Verdict, judged, told
from app.store.upkeep import engines, recorded_decisions
from app.store.upkeep.engines import Engine
from app.sync.incidents.timeline import open_or_note
from app.sync.reconcile.evaluate import evaluate
from app.sync.runtime.context import Context
from app.sync.runtime.refusals import Refused
from app.sync.runtime.write_gate import ENGINE

_LOG = structlog.get_logger(__name__)

UNCHECKED = "engine_unchecked"
DIFFERS = IncidentKind.ENGINE_DIFFERS
# The newest of them: a worker begins within a minute, however long the history is.
MOST = 100_000


class EngineWatch:
    """One per worker process. It refuses the process's permit until its version is known to agree,
    or accepted."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._passed = False
        ctx.permit.refuse(UNCHECKED, by=ENGINE)

    async def run_once(self) -> bool:
        """Whether this version may write. What was granted stays so."""
        if self._passed:
            return True
        it = await self._entered()
        if it.judged.verdict is Verdict.DIFFERS:
            await self._refuse(it)
            return False
        self._passed = True
        self._ctx.permit.grant(by=ENGINE)
        return True

    async def _entered(self) -> Engine:
        """The version as the database has it, judged first where it is new."""
        ctx = self._ctx
        async with ctx.database.connection() as conn:
            known = await engines.of(conn, ctx.engine)
        if known is not None:
            return known
        found = await _judge(ctx)
        async with ctx.database.transaction() as conn:
            first = await engines.enter(conn, ctx.engine, found, ctx.clock())
            entered = await engines.of(conn, ctx.engine)
        assert entered is not None
        if first:
            _LOG.info(
                "engine_evaluated",
                engine=ctx.engine,
                verdict=found.verdict.value,
                compared=found.compared,
                differ=found.differ,
                unreadable=found.unreadable,
            )
        return entered

    async def _refuse(self, it: Engine) -> None:
        ctx = self._ctx
        if ctx.permit.refused_for != DIFFERS:
            _LOG.error(DIFFERS, engine=it.engine, differ=it.judged.differ, digest=it.digest)
        ctx.permit.refuse(DIFFERS, by=ENGINE)
        async with ctx.database.transaction() as conn:
            await open_or_note(
                conn, DIFFERS, now=ctx.clock(), detail=_facts(it), impact=Impact.MAJOR
            )


async def _judge(ctx: Context) -> Judged:
    since = ctx.clock() - recorded_decisions.KEPT
    return judged(await evaluate(ctx.database, since=since, most=MOST))


def _facts(it: Engine) -> dict[str, str | int]:
    return {
        "engine": it.engine,
        "compared": it.judged.compared,
        "differ": it.judged.differ,
        "removals": it.judged.removals,
        "creations": it.judged.creations,
        "rules": told(it.judged.differences),
        "digest": it.digest,
    }


async def accept(ctx: Context, engine: str, digest: str, *, by: str) -> Engine:
    """Let this version write. Accepting it again changes nothing. Raises `Refused`:
    `engine_unknown`, `engine_digest` where other differences were reviewed."""
    async with ctx.database.transaction() as conn:
        done = await engines.accept(conn, engine, digest, by, ctx.clock())
        it = await engines.of(conn, engine)
    if it is None:
        raise Refused("engine_unknown")
    if it.digest != digest:
        raise Refused("engine_digest")
    if done:
        _LOG.warning("engine_accepted", engine=engine, by=by, digest=digest)
    return it
