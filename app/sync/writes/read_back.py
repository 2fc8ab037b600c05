"""What became of creates: both ends read back, with the changelogs that say whose a link is."""

from collections.abc import Iterable, Mapping, Sequence

import stamina

from app.core.authorship import authorship_now
from app.core.errors import PermanentError, TransientError
from app.core.evidence import Reading
from app.core.ledger import Authorship
from app.core.links import Ends, Link, LinkType, equal_links
from app.core.operations import Status
from app.jira.client import JiraClient
from app.store.writes.intents import Intent
from app.sync.runtime.context import Context
from app.sync.sites.link_types import site_types
from app.sync.writes.outcome import Outcome

# A fresh link may not be listed at once; after these tries the confirmation goes on.
READ_BACKS = 3


async def read_back(ctx: Context, sent: Sequence[Intent]) -> list[Outcome]:
    """Read all ends of a side in shared calls until each link shows, or tries are over: the
    outcomes of those that show."""
    outcomes: list[Outcome] = []
    waiting = {intent.id: intent for intent in sent}
    backoff = stamina.retry_context(
        on=LinkNotShownError, attempts=READ_BACKS, wait_initial=0.15, wait_max=1, timeout=5
    )
    try:
        async for attempt in backoff:
            with attempt:
                for outcome in await _shown(ctx, list(waiting.values())):
                    outcomes.append(outcome)
                    waiting.pop(outcome.intent.id)
                if waiting:
                    raise LinkNotShownError
    except LinkNotShownError:
        pass
    return outcomes


class LinkNotShownError(Exception):
    """A link that we may have made is not listed yet."""


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
        return Outcome(intent, Status.NOOP, "two_candidates")
    link = next(iter(links.values()))
    since = intent.wanted.read_at
    said = authorship_now(reading.issues, link, types, client.site.own, since)
    verdict = Authorship(said)
    if verdict is Authorship.THEIRS:
        return Outcome(
            intent, Status.NOOP, "made_by_another", link_id=link.id, authorship=verdict,
            authored_after=since,
        )  # fmt: skip
    return Outcome(
        intent, Status.APPLIED, f"read_back_{verdict}", link_id=link.id, authorship=verdict,
        authored_after=since,
    )  # fmt: skip


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
