"""Make mirrors: intent, POST, read back with the changelog, outcome.

The answer to the POST proves nothing (201 for a duplicate, no id): only the read-back does.
Exactly one new link with our type and ends is taken; whose it is, the changelog says.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from app.core.errors import NotSent, OutcomeUnknown, PermanentError, SiteLocked, TransientError
from app.core.ledger import Authorship, LinkKey
from app.core.links import IssueId
from app.core.operations import Status
from app.core.results import (
    Created,
    Failed,
    Preexisting,
    Result,
    Retry,
    SiteRefused,
    Stale,
    StillOpen,
    Unsent,
    Written,
)
from app.store.writes import intents
from app.store.writes.intents import Intent
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import WRITES_AT_ONCE, side_by_side
from app.sync.writes.late_writes import Again, taken_away
from app.sync.writes.outcome import Outcome, settle
from app.sync.writes.proposal import Proposal
from app.sync.writes.read_back import read_back
from app.sync.writes.reserve import reserve

# One intent transaction: all of its requests must begin within ten seconds. No more than
# `create_slots.ROOM`, else it would wait for ever.
BATCH = 100
# Of these, as many on one issue as Jira takes in two seconds (20 writes in 2 s per issue).
PER_ISSUE = 20


async def create_all(
    ctx: Context, look: Look, proposals: Sequence[Proposal]
) -> dict[LinkKey, Result]:
    """Create every proposed mirror that is let go; what each came to."""
    again = [Again(it.wanted.physical, it.wanted.origin_link, None) for it in proposals]
    held = await taken_away(ctx, look.running.id, again)
    waiting: dict[LinkKey, Result] = {
        it.key: held[it.wanted.physical] for it in proposals if it.wanted.physical in held
    }
    results: dict[LinkKey, Result] = {}
    for batch in batches([it for it in proposals if it.key not in waiting]):
        if any(isinstance(it, Retry) for it in results.values()):
            # Jira or the budget has had enough: opening more intents would only close them.
            results.update({it.key: Retry("put_off") for it in batch})
        else:
            results.update(await _batch(ctx, look, batch))
    return waiting | results


def batches(proposals: Sequence[Proposal]) -> list[list[Proposal]]:
    """In the order given, each batch within `BATCH` in all and `PER_ISSUE` on any issue."""
    out: list[list[Proposal]] = []
    counts: list[Counter[tuple[int, IssueId]]] = []
    first_open = 0
    for it in proposals:
        wanted = it.wanted
        ends = [(wanted.site, wanted.source.id), (wanted.site, wanted.destination.id)]
        at = first_open
        while at < len(out) and (
            len(out[at]) >= BATCH or any(counts[at][end] >= PER_ISSUE for end in ends)
        ):
            at += 1
        if at == len(out):
            out.append([])
            counts.append(Counter())
        out[at].append(it)
        counts[at].update(ends)
        while first_open < len(out) and len(out[first_open]) >= BATCH:
            first_open += 1
    return out


async def _batch(
    ctx: Context, look: Look, proposals: Sequence[Proposal]
) -> Mapping[LinkKey, Result]:
    bulk = all(it.bulk for it in look.pairs.values())
    per_site = Counter(it.wanted.site for it in proposals)
    async with AsyncExitStack() as turn:
        for site, writes in sorted(per_site.items()):
            await turn.enter_async_context(ctx.turns.take(site, bulk=bulk, writes=writes))
        reserved = await reserve(ctx, look, proposals)
        if not reserved.granted:
            return reserved.refused
        granted = [intent for intent, _ in reserved.granted]
        # Given up as soon as the last request has begun, not when its answer is there.
        sending = turn.pop_all()
    written = await write_all(ctx, look.running.id, granted, bulk=bulk, sending=sending)
    return {**reserved.refused, **{it.wanted.key: written[it.id] for it in granted}}


async def write_all(
    ctx: Context,
    connection_id: int,
    granted: Sequence[Intent],
    *,
    bulk: bool,
    sending: AbstractAsyncContextManager[object] | None = None,
) -> dict[int, Written]:
    """POST each, read back together, commit what is known; what each came to, by its intent's
    id. *sending* is held until the last request is on its way."""
    async with AsyncExitStack() as turn:
        if sending is not None:
            await turn.enter_async_context(sending)
        unsent = await _send_all(ctx, granted, turn, bulk=bulk)
    sent = [intent for intent in granted if intent.id not in unsent]
    shown = await read_back(ctx, sent)
    outcomes = [_not_made(it, unsent[it.id]) for it in granted if it.id in unsent] + shown
    await settle(ctx, connection_id, outcomes)
    results: dict[int, Written] = {**unsent, **{it.intent.id: _result(it) for it in shown}}
    unknown = [intent.id for intent in sent if intent.id not in results]
    if unknown:
        async with ctx.database.connection() as conn:
            await intents.mark_unconfirmed(conn, unknown, ctx.clock())
    return results | dict.fromkeys(unknown, StillOpen())


async def _send_all(
    ctx: Context, granted: Sequence[Intent], turn: AsyncExitStack, *, bulk: bool
) -> dict[int, Unsent]:
    """POST each; answers those that cannot have acted, by id. *turn* is given up when the last
    one begins: the next batch need not wait for the answers."""
    begun: list[Intent] = []

    async def one(intent: Intent) -> Unsent | None:
        begun.append(intent)
        if len(begun) == len(granted):
            await turn.aclose()
        return await _send(ctx, intent, bulk=bulk)

    found = await side_by_side(WRITES_AT_ONCE, one, granted)
    return {intent.id: why for intent, why in zip(granted, found, strict=True) if why is not None}


async def _send(ctx: Context, intent: Intent, *, bulk: bool) -> Unsent | None:
    """None if the request may have acted; else why it certainly has not.

    A window remains, as at the DELETE: `send_before` is checked for the last time when the
    connection is about to write. A process that is stopped within those microseconds, and goes
    on after others have confirmed that nothing was made, makes the link late. If it is there by
    then, Jira makes no second one. If its origin is gone by then, it is a link like a person's:
    never removed by us, and seen by the look that its event makes.
    """
    wanted = intent.wanted
    client = await ctx.sites.client(wanted.site)
    try:
        await client.create_link(
            wanted.type_id,
            wanted.source.id,
            wanted.destination.id,
            bulk=bulk,
            send_before=intent.send_before,
        )
    except OutcomeUnknown:
        return None
    except NotSent as error:
        return Retry(error.code)
    except SiteLocked as error:
        return SiteRefused(error.code)
    except PermanentError as error:
        return Failed(error.code)
    except TransientError:
        # Not known to be unsent, so it counts as sent.
        return None
    return None


def _not_made(intent: Intent, why: Unsent) -> Outcome:
    return Outcome(intent, Status.FAILED, why.code, final=isinstance(why, Failed))


def _result(outcome: Outcome) -> Written:
    if outcome.state is Status.APPLIED:
        return Created()
    return Preexisting() if outcome.authorship is Authorship.THEIRS else Stale()
