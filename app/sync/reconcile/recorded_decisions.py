"""What a look decided from, kept for versions that come later (ADR 0028).

It is written after the look's pairs are settled, by one statement, and whatever keeps it from being
written is no trouble of the look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from app.core.diff import Decision
from app.core.ledger import LinkKey
from app.core.recorded import outcome
from app.core.recorded.inputs import VERSION, encode
from app.store.upkeep import recorded_decisions
from app.store.upkeep.recorded_decisions import Decided
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one look decided, as the core answered it."""

    look: Look
    decisions: Mapping[LinkKey, Decision]


async def keep(ctx: Context, looks: Sequence[Decisions]) -> None:
    """Record what these looks at one connection decided. Never raises."""
    if not looks or not ctx.recording.bound:
        return
    try:
        decided = [one for it in looks for one in _wanted(ctx, it)]
        if not decided:
            return
        async with ctx.database.connection() as conn:
            kept = await recorded_decisions.add(
                conn,
                looks[0].look.running.id,
                looks[0].look.running.revision,
                decided,
                engine=ctx.engine,
                bound=ctx.recording.bound,
                now=ctx.clock(),
            )
        ctx.metrics.decisions_recorded.labels("kept").inc(kept)
        ctx.metrics.decisions_recorded.labels("above_bound").inc(len(decided) - kept)
    except Exception as error:
        ctx.metrics.decisions_recorded.labels("failed").inc()
        _LOG.warning("decisions_not_recorded", error=type(error).__name__)


def _wanted(ctx: Context, it: Decisions) -> list[Decided]:
    connection_id, today = it.look.running.id, ctx.clock().date()
    return [
        Decided(
            key,
            outcome.word(decision),
            outcome.row(decision),
            outcome.text(decision),
            VERSION,
            encode(inputs),
        )
        for key, decision in it.decisions.items()
        if (inputs := it.look.judged.get(key)) is not None
        and ctx.recording.wants(connection_id, key, inputs, decision, today)
    ]
