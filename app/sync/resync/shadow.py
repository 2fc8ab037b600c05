"""Trying out a revision: what it would plan beside the active one, over the same readings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.config import ConnectionConfig
from app.core.diff import Wait
from app.store.config.active_connection import Running
from app.store.queue.work import Claimed
from app.sync.reconcile.decided_writes import proposals_for
from app.sync.reconcile.loop import decisions_for, decisions_under
from app.sync.runtime.context import Context
from app.sync.writes.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Difference:
    """`more`: only the candidate would do it; `less`: only the active revision would.
    `skipped` links showed too little under the candidate."""

    more: Sequence[Proposal]
    less: Sequence[Proposal]
    skipped: int


async def difference(
    ctx: Context, state: Running, candidate: ConnectionConfig, claimed: Iterable[Claimed]
) -> Difference:
    """Judge these pairs under both configurations. Writes nothing."""
    look, decisions = await decisions_for(ctx, state, claimed, dry=True)
    planned_now = await proposals_for(ctx, look, decisions)
    other, decisions = await decisions_under(ctx, look, candidate)
    planned_then = await proposals_for(ctx, other, decisions)
    return Difference(
        more=_without(planned_then, planned_now),
        less=_without(planned_now, planned_then),
        skipped=sum(isinstance(it, Wait) for it in decisions.values()),
    )


def _without(these: Iterable[Proposal], those: Iterable[Proposal]) -> list[Proposal]:
    known = {_write(it) for it in those}
    return [it for it in these if _write(it) not in known]


def _write(it: Proposal) -> tuple[object, ...]:
    """What would be written; why does not count."""
    return (it.wanted.operation, it.wanted.physical, it.wanted.link_id)
