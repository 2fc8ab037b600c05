"""The loop of a worker, whole: claim, look, decide, act, settle.

A webhook says *look at this issue*, nothing more. What is done follows from what both sites
show now and from what the ledger knows; an event that came twice or late changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import groupby

from app.core.config import ConnectionConfig, Mode
from app.core.diff import Decision, Prove, Wait, decide
from app.core.ledger import LinkKey
from app.core.links import Side
from app.core.recorded.inputs import Inputs
from app.core.results import ModeForbids, Result
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.queue import work
from app.store.queue.work import Claimed, Settlement, Tally
from app.store.writes import written_links
from app.sync.look import echo, project_keys, read_sides, resting, scope
from app.sync.look.snapshot import Look
from app.sync.look.update_ledger import record
from app.sync.reconcile import isolation, recorded_decisions
from app.sync.reconcile.decided_writes import proposals_for
from app.sync.reconcile.plan_refresh import refresh_plans, skip_kept
from app.sync.reconcile.recorded_decisions import Decisions
from app.sync.reconcile.settlement import settlements
from app.sync.runtime.context import Context
from app.sync.writes import late_writes
from app.sync.writes.create import create_all
from app.sync.writes.proposal import Proposal
from app.sync.writes.remove import remove_all

# A pair with an open write waits for its outcome, not for another look: a moment where it is
# being written, longer where it looks as if a confirmation will have to end it.
BUSY_SECONDS = 0.3
STUCK_SECONDS = 5.0
# Questions that proof may raise in turn: the origin first, then the mirror.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: pairs claimed, pairs that are dirty still, and how many seconds from
    now the first of those that were put off is due. `tally` counts links and pairs."""

    claimed: int
    dirty: int
    soonest: float | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def summary(self) -> dict[str, int]:
        return {"claimed": self.claimed, "dirty": self.dirty, **asdict(self.tally)}


async def run_once(
    ctx: Context, *, size: int, lease: float, full: Callable[[], object] = lambda: None
) -> Pass:
    """Claim up to *size* pairs, look at them and settle them. `Pass(0, 0)`: nothing is due, or
    this process may not write and leaves them to others. *full* is called as soon as there may be
    work for another pass beside this one: a claim came back full, or with suspects alone."""
    if not ctx.permit.granted:
        return Pass(0, 0)
    with ctx.suspects.turn() as turn:
        async with ctx.database.connection() as conn:
            claimed = await work.claim(
                conn, now=ctx.clock(), size=size, lease=lease, lost=turn.mine
            )
        if not any(it.lost for it in claimed):
            turn.end()
        if len(claimed) >= size or turn.mine:
            full()
        done = await _all(ctx, claimed)
    if any(it.lost for it in claimed):
        full()  # for the next suspects
    return done


async def _all(ctx: Context, claimed: Sequence[Claimed]) -> Pass:
    """What a pass does with its claim, connection by connection."""
    ctx.metrics.work_claimed.inc(len(claimed))
    dirty, ended = 0, list[Settlement]()
    by_connection = sorted(claimed, key=lambda it: it.connection_id)
    for _, group in groupby(by_connection, key=lambda it: it.connection_id):
        decided = list[Decisions]()
        looked = await isolation.looked_at(ctx, list(group), partial(_look, ctx, decided))
        dirty += await isolation.settle(ctx, looked)
        await recorded_decisions.keep(ctx, decided)
        ended += looked
    soonest = min((it.again for it in ended if it.again is not None), default=None)
    return Pass(len(claimed), dirty, soonest, Tally.total(it.tally for it in ended))


async def _look(
    ctx: Context, decided: list[Decisions], claimed: Sequence[Claimed]
) -> list[Settlement]:
    """At pairs of one connection. Those with an open write wait, and echoes are done. What is
    decided is added to *decided*, whatever becomes of it."""
    connection_id = claimed[0].connection_id
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, connection_id)
        busy = await written_links.open_for_twins(
            conn, connection_id, [it.twin_id for it in claimed]
        )
    if state is None:
        return [Settlement(it) for it in claimed]
    waiting = [
        Settlement(it, again=_busy_for(ctx, busy[it.twin_id]), keep_causes=True, count_try=False)
        for it in claimed
        if it.twin_id in busy
    ]
    free = [it for it in claimed if it.twin_id not in busy]
    echoes = await echo.known(ctx, state, free)
    done = [Settlement(it) for it in free if it.twin_id in echoes]
    rest = [it for it in free if it.twin_id not in echoes]
    return [*waiting, *done, *(await look_at(ctx, state, rest, decided) if rest else [])]


def _busy_for(ctx: Context, opened: datetime) -> float:
    age = (ctx.clock() - opened).total_seconds()
    return BUSY_SECONDS if age < STUCK_SECONDS else STUCK_SECONDS


async def look_at(
    ctx: Context, state: Running, claimed: list[Claimed], decided: list[Decisions]
) -> list[Settlement]:
    """One whole look: read, decide, record, plan or act."""
    look, decisions = await decisions_for(ctx, state, claimed)
    decided.append(Decisions(look, dict(decisions)))
    decisions |= dict.fromkeys(await late_writes.suspect(ctx, look), Wait("write_suspected"))
    results: dict[LinkKey, Result] = {**await record(ctx, look, decisions)}
    proposals = await proposals_for(ctx, look, decisions)
    await refresh_plans(ctx, look, decisions, proposals)
    if state.mode is not Mode.SHADOW:
        creates = [it for it in proposals if not it.removes]
        removals = [it for it in proposals if it.removes]
        results |= await create_all(ctx, look, creates)
        if removals:
            removed = await _remove(ctx, look, removals)
            await skip_kept(ctx, look, removed)
            results |= removed
    return await settlements(ctx, look, decisions, results)


async def decisions_for(
    ctx: Context, state: Running, claimed: Iterable[Claimed], *, dry: bool = False
) -> tuple[Look, dict[LinkKey, Decision]]:
    """Read both sides and decide every link of these pairs. Follows moves and scope in the
    store; if *dry*, in memory alone."""
    look = await read_sides.begin(ctx, state, claimed)
    await read_sides.read_pairs(ctx, look)
    if not dry:
        await scope.follow_moves(ctx, look)
        await scope.rest_and_resume(ctx, look)
        await resting.forget_gone(ctx, look)
    else:
        scope.imagine(look)
    return look, await _decide_all(ctx, look, dry=dry)


async def decisions_under(
    ctx: Context, look: Look, config: ConnectionConfig
) -> tuple[Look, dict[LinkKey, Decision]]:
    """What a dry look has read, decided under another configuration."""
    other = await read_sides.under(ctx, look, replace(look.running, config=config))
    scope.imagine(other)
    return other, await _decide_all(ctx, other, dry=True)


async def _decide_all(ctx: Context, look: Look, *, dry: bool) -> dict[LinkKey, Decision]:
    """Decide with what is listed; where that is not enough, seek proof and ask again."""
    proven: set[tuple[LinkKey, Side]] = set()
    decisions: dict[LinkKey, Decision] = {}
    pending = look.candidates()
    for _ in range(ROUNDS):
        for key in pending:
            decisions[key] = _decide(look, key, proven)
        asked = {key: it.sides for key in pending if isinstance(it := decisions[key], Prove)}
        if not asked:
            break
        await read_sides.prove(ctx, look, asked)
        # Far ends are read only now.
        if dry:
            project_keys.imagine(look)
        else:
            await project_keys.follow(ctx, look)
        proven |= {(key, side) for key, sides in asked.items() for side in sides}
        pending = list(asked)
    for key in await read_sides.read_origins(ctx, look, decisions):
        decisions[key] = _decide(look, key, proven)
    return decisions


def _decide(look: Look, key: LinkKey, proven: set[tuple[LinkKey, Side]]) -> Decision:
    left, right = (read_sides.judge(look, key, side, proven=(key, side) in proven) for side in Side)
    config = look.running.config
    row = look.rows.get(key)
    inputs = Inputs(row, left, right, config.direction, config.on_mirror_removed)
    look.judged[key] = inputs
    return inputs.decision(decide)


async def _remove(
    ctx: Context, look: Look, removals: Sequence[Proposal]
) -> Mapping[LinkKey, Result]:
    if look.running.mode is Mode.CREATE_ONLY:
        return {it.key: ModeForbids() for it in removals}
    return await remove_all(ctx, look, removals)
