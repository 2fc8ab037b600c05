"""Make mirrors: intent, POST, read back with the changelog, outcome.

The answer to the POST proves nothing (201 for a duplicate, no id): only the read-back does.
Exactly one new link with our type and ends is taken; whose it is, the changelog says.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import stamina

from app.core.authorship import authorship
from app.core.errors import NotSent, OutcomeUnknown, PermanentError, TransientError
from app.core.evidence import Reading
from app.core.ledger import Authorship, LinkKey
from app.core.links import Ends, IssueId, Link, LinkType, equal_links
from app.jira.client import JiraClient
from app.store.config import sites
from app.store.writes import intents
from app.store.writes.intents import Intent
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.writes.outcome import Outcome, settle
from app.sync.writes.reserve import Proposal, reserve

# Requests of one batch side by side: enough to hide Jira's 100 ms, within its budgets.
WRITES_AT_ONCE = 16
# One intent transaction: all of its requests must begin within ten seconds. No more than
# ``turns.ROOM``, else it would wait for ever.
BATCH = 100
# Of these, as many on one issue as Jira takes in two seconds (20 writes in 2 s per issue).
PER_ISSUE = 20
# A fresh link may not be listed at once; after these tries the confirmation goes on.
READ_BACKS = 3


async def create_all(
    ctx: Context, look: Look, proposals: Sequence[Proposal], results: dict[LinkKey, str]
) -> None:
    """Create every proposed mirror; *results* gets a word per key: ``created``, ``theirs``,
    ``held``, ``open`` (left to confirmation), ``failed:<code>``, ``retry:<code>``, or why not
    granted."""
    for batch in batches(proposals):
        if any(word.startswith("retry:") for word in results.values()):
            # Jira or the budget has had enough: opening more intents would only close them.
            results.update({it.key: "retry:put_off" for it in batch})
        else:
            await _batch(ctx, look, batch, results)


def batches(proposals: Sequence[Proposal]) -> list[list[Proposal]]:
    """In the order given, each batch within ``BATCH`` in all and ``PER_ISSUE`` on any issue."""
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
    ctx: Context, look: Look, proposals: Sequence[Proposal], results: dict[LinkKey, str]
) -> None:
    bulk = all(it.bulk for it in look.pairs.values())
    per_site = Counter(it.wanted.site for it in proposals)
    async with AsyncExitStack() as turn:
        for site, writes in sorted(per_site.items()):
            await turn.enter_async_context(ctx.turns.take(site, bulk=bulk, writes=writes))
        reserved = await reserve(ctx, look, proposals)
        results.update(reserved.refused)
        if not reserved.granted:
            return
        granted = [intent for intent, _ in reserved.granted]
        # Given up as soon as the last request has begun, not when its answer is there.
        sending = turn.pop_all()
    written = await write_all(ctx, look.running.id, granted, bulk=bulk, sending=sending)
    results.update({intent.wanted.key: written[intent.id] for intent in granted})


async def write_all(
    ctx: Context,
    connection_id: int,
    granted: Sequence[Intent],
    *,
    bulk: bool,
    sending: AbstractAsyncContextManager[object] | None = None,
) -> dict[int, str]:
    """POST each, read back together, commit what is known. Answers a word per intent's id:
    ``created``, ``theirs``, ``stale``, ``open`` (left to confirmation), ``failed:<code>`` or
    ``retry:<code>``. *sending* is held until the last request is on its way."""
    words: dict[int, str] = {}
    async with AsyncExitStack() as turn:
        if sending is not None:
            await turn.enter_async_context(sending)
        sent, outcomes = await _send_all(ctx, granted, words, turn, bulk=bulk)
    outcomes += await _read_back(ctx, sent, words)
    await settle(ctx, connection_id, outcomes)
    unknown = [intent.id for intent in sent if words[intent.id] == "open"]
    if unknown:
        async with ctx.database.connection() as conn:
            await intents.mark_unconfirmed(conn, unknown, ctx.clock())
    return words


async def _send_all(
    ctx: Context,
    granted: Sequence[Intent],
    words: dict[int, str],
    turn: AsyncExitStack,
    *,
    bulk: bool,
) -> tuple[list[Intent], list[Outcome]]:
    """POST each; answers those that may have acted, and the outcomes of those that cannot.
    *turn* is given up when the last one begins: the next batch need not wait for the answers."""
    gate = asyncio.Semaphore(WRITES_AT_ONCE)
    sent: list[Intent] = []
    outcomes: list[Outcome] = []
    begun: list[Intent] = []

    async def one(intent: Intent) -> None:
        async with gate:
            begun.append(intent)
            if len(begun) == len(granted):
                await turn.aclose()
            verdict = await _send(ctx, intent, bulk=bulk)
        if verdict is None:
            sent.append(intent)
        else:
            code = verdict.partition(":")[2]
            final = verdict.startswith("failed:")
            outcomes.append(Outcome(intent, "failed", code, final=final))
            words[intent.id] = verdict

    await asyncio.gather(*map(one, granted))
    return sent, outcomes


async def _send(ctx: Context, intent: Intent, *, bulk: bool) -> str | None:
    """None if the request may have acted; else the word for why it certainly has not.

    A window remains, as at the DELETE: ``send_before`` is checked for the last time when the
    connection is about to write. A process that is stopped within those microseconds, and goes
    on after others have confirmed that nothing was made, makes the link late. If it stands by
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
        return f"retry:{error.code}"
    except PermanentError as error:
        return f"failed:{error.code}"
    except TransientError:
        # Not known to be unsent, so it counts as sent.
        return None
    return None


async def _read_back(ctx: Context, sent: Sequence[Intent], words: dict[int, str]) -> list[Outcome]:
    """Read all ends of a side in shared calls until each link shows, or tries are over."""
    outcomes: list[Outcome] = []
    waiting = {intent.id: intent for intent in sent}
    words.update(dict.fromkeys(waiting, "open"))
    backoff = stamina.retry_context(
        on=LinkNotShownError, attempts=READ_BACKS, wait_initial=0.15, wait_max=1, timeout=5
    )
    try:
        async for attempt in backoff:
            with attempt:
                for outcome in await _shown(ctx, list(waiting.values())):
                    outcomes.append(outcome)
                    waiting.pop(outcome.intent.id)
                    words[outcome.intent.id] = _word(outcome)
                if waiting:
                    raise LinkNotShownError
    except LinkNotShownError:
        pass
    return outcomes


class LinkNotShownError(Exception):
    """A link that we may have made is not listed yet."""


def _word(outcome: Outcome) -> str:
    if outcome.state == "applied":
        return "created"
    return "theirs" if outcome.authorship is Authorship.THEIRS else "stale"


async def _shown(ctx: Context, waiting: Sequence[Intent]) -> list[Outcome]:
    found = []
    by_site: dict[int, list[Intent]] = {}
    for intent in waiting:
        by_site.setdefault(intent.wanted.site, []).append(intent)
    for site, here in by_site.items():
        client = await ctx.sites.client(site)
        types = await site_types(ctx, site)
        try:
            reading = await read_ends(client, here)
        except (TransientError, PermanentError):
            continue
        outcomes = (find_created(intent, reading, types, client) for intent in here)
        found += [outcome for outcome in outcomes if outcome is not None]
    return found


async def read_ends(client: JiraClient, those: Iterable[Intent]) -> Reading:
    """Both ends of each intent's link, with changelogs, in shared calls."""
    ends = {ref.id for it in those for ref in (it.wanted.source, it.wanted.destination)}
    return await client.read_issues(sorted(ends), changelog=True)


async def site_types(ctx: Context, site: int) -> Sequence[LinkType]:
    """All link types of a site: a wording means something only among all others."""
    async with ctx.database.connection() as conn:
        return await sites.link_types(conn, site)


def find_created(
    intent: Intent, reading: Reading, types: Sequence[LinkType], client: JiraClient
) -> Outcome | None:
    """What became of a create, as the read-back shows it; None if no such link is listed.

    Two candidates: neither is ours, and the next look records what is there.
    """
    links = listed_links(intent, reading, types)
    if not links:
        return None
    if len(links) > 1:
        return Outcome(intent, "noop", "two_candidates")
    link = next(iter(links.values()))
    since, account = intent.wanted.read_at, client.site.account_id
    verdict = Authorship.UNKNOWN
    if since is not None and account is not None:
        verdict = Authorship(authorship(reading.issues, link, types, account, since))
    state, code = ("noop", "made_by_another") if verdict is Authorship.THEIRS else (
        "applied", f"read_back_{verdict}"
    )  # fmt: skip
    return Outcome(intent, state, code, link_id=link.id, authorship=verdict, authored_after=since)


def listed_links(intent: Intent, reading: Reading, types: Sequence[LinkType]) -> Mapping[str, Link]:
    """The links that are exactly the intent's (id apart) that either end lists, by id.

    Exactly: direction counts for Jira also where it means nothing, so a link the other way
    round, although equal to ours, cannot have come from our request.
    """
    wanted = intent.wanted
    kind = next((it for it in types if it.id == wanted.type_id), None)
    if kind is None:
        return {}
    ends = Ends(wanted.source.id, wanted.destination.id)
    views = (reading.issues.get(end) for end in (ends.source, ends.destination))
    found = [
        link
        for view in views
        if view is not None and view.links is not None
        for link in equal_links(view.links, kind, ends)
        if link.ends == ends
    ]
    return {link.id: link for link in found}
