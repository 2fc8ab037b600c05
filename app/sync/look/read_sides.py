"""Fill a look: what the store knows, what both sites show, and proof where it is asked for."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from app.core.diff import CreateMirror, Decision
from app.core.errors import NotThePinned, PermanentError, TransientError
from app.core.evidence import Lookup, Observed, Present, Reading, Unknown, glance, presence
from app.core.ledger import LinkKey
from app.core.links import Ends, IssueId, LinkId, Side
from app.jira.client import JiraClient
from app.store.config.active_connection import Running
from app.store.links import ledger, twins
from app.store.queue import inbox_events
from app.store.queue.inbox_events import LinkEvent
from app.store.queue.work import Claimed
from app.store.writes import written_links
from app.sync.guard import site_went_back
from app.sync.look import made_by_us, same_issue
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side

# Single lookups run side by side, but a burst of proofs must not crowd out everything else.
LOOKUPS_AT_ONCE = 8
# Read replicas and caches lag by seconds to minutes.
LISTING_LAG = timedelta(minutes=10)


async def begin(ctx: Context, running: Running, claimed: Iterable[Claimed]) -> Look:
    """Load the twins, the ledger rows and the far ends that these rows name."""
    look = Look(running, ctx.clock(), {it.twin_id: it for it in claimed})
    async with ctx.database.connection() as conn:
        look.know((await twins.by_ids(conn, running.id, look.pairs)).values())
        look.rows = {row.key: row for row in await ledger.touching(conn, running.id, look.pairs)}
        far = {twin for key in look.rows for twin in key.twins} - look.twins.keys()
        look.know((await twins.by_ids(conn, running.id, far)).values())
    return look


async def read_pairs(ctx: Context, look: Look) -> None:
    """Both issues of every claimed pair in as few bulk reads as there are sides; with changelogs on
    a side of which an event says that a link is gone: a removal will ask for them."""
    events = await _events(ctx, look)
    gone = {look.running.side_of(it.site) for it in events if it.kind == "link_deleted"}
    bulk = all(it.bulk for it in look.pairs.values())
    issues = {side: [twin.on(side).id for twin in look.claimed_twins()] for side in Side}
    left, right = await asyncio.gather(
        *(_read(ctx, look, side, issues[side], bulk=bulk, changelog=side in gone) for side in Side)
    )
    same_issue.take(look, Side.LEFT, left)
    same_issue.take(look, Side.RIGHT, right)
    await _know_far_ends(ctx, look)
    await _follow_events(ctx, look, events)
    await made_by_us.know(ctx, look)


async def under(ctx: Context, look: Look, running: Running) -> Look:
    """The same readings and answers, to be judged under another configuration."""
    other = Look(running, look.started_at, look.pairs)
    other.know(look.twins.values())
    other.readings = dict(look.readings)
    other.ended = {side: set(links) for side, links in look.ended.items()}
    other.foreign = {side: set(links) for side, links in look.foreign.items()}
    other.made = {side: set(links) for side, links in look.made.items()}
    other.lookups = dict(look.lookups)
    other.assured = set(look.assured)
    await _know_far_ends(ctx, other)
    return other


async def _read(
    ctx: Context, look: Look, side: Side, issues: list[IssueId], *, bulk: bool, changelog: bool
) -> Reading:
    client = await ctx.sites.client(look.running.site(side))
    try:
        return await client.read_issues(issues, bulk=bulk, changelog=changelog)
    except TransientError as error:
        if not (changelog and error.asks_for_less):
            raise
    # What is to be created needs no changelog.
    return await client.read_issues(issues, bulk=bulk)


async def _events(ctx: Context, look: Look) -> list[LinkEvent]:
    causes = [cause for it in look.pairs.values() for cause in it.causes]
    if not causes:
        return []
    async with ctx.database.connection() as conn:
        return await inbox_events.link_events(conn, causes)


async def _know_far_ends(ctx: Context, look: Look) -> None:
    """The twins at the other ends of the listed links, all in one query a side."""
    for side in Side:
        unknown = {
            end
            for link in look.listed(side)
            if look.running.config.pair_of(side, link.type_id) is not None
            for end in (link.source.id, link.destination.id)
            if look.twin_at(side, end) is None
        }
        if unknown:
            async with ctx.database.connection() as conn:
                found = await twins.by_issues(conn, look.running.id, side, unknown)
            look.know(found.values())
    await _load_new_rows(ctx, look)


async def _load_new_rows(ctx: Context, look: Look) -> None:
    """Rows touching the pairs again: one may have been written since the look began, and the
    far ends of every row must be known."""
    async with ctx.database.connection() as conn:
        rows = await ledger.touching(conn, look.running.id, look.pairs)
        far = {twin for row in rows for twin in row.key.twins} - look.twins.keys()
        look.know((await twins.by_ids(conn, look.running.id, far)).values())
    look.rows = {row.key: row for row in rows}


async def _follow_events(ctx: Context, look: Look, events: Sequence[LinkEvent]) -> None:
    """Where a listing lags behind the events that raised these pairs, ask for the links by id.

    A link that an event says was made, and that answers with our type and ends, is present
    although nothing lists it yet. One that is listed although an event says it was removed, and
    that answers 404, is not. So is every listed link that we removed, as long as its listing may
    lag: one that answers by its id long after shows that this Jira went back in time.
    """
    listed = {side: {link.id for link in look.listed(side)} for side in Side}
    async with ctx.database.connection() as conn:
        for side in Side:
            site = look.running.site(side)
            look.ended[side] = await written_links.removed_links(conn, site, listed[side])
    await _watch_removed(ctx, look)
    removed = {(event.site, event.link) for event in events if event.kind == "link_deleted"}
    questions: dict[tuple[Side, LinkId], LinkKey] = {}
    for event in events:
        side = look.running.side_of(event.site)
        key = look.key_of(side, event.type_id, event.ends)
        gone = (event.site, event.link) in removed
        if key is not None and gone == (event.link in listed[side]):
            questions[side, event.link] = key

    async def ask(question: tuple[tuple[Side, LinkId], LinkKey]) -> None:
        (side, link_id), key = question
        client = await ctx.sites.client(look.running.site(side))
        found = await _lookup(client, look, side, key, link_id)
        look.lookups[side, link_id] = found
        if link_id in listed[side] and found is Lookup.GONE:
            look.ended[side].add(link_id)
        elif link_id not in listed[side] and found is Lookup.SAME:
            look.unlisted.setdefault((side, key), set()).add(link_id)

    await side_by_side(LOOKUPS_AT_ONCE, ask, questions.items())


async def _watch_removed(ctx: Context, look: Look) -> None:
    """Links that we removed, and that are listed so long after that no listing lags as much."""
    for side, ended in look.ended.items():
        if not ended:
            continue
        site = look.running.site(side)
        async with ctx.database.connection() as conn:
            before = ctx.clock() - LISTING_LAG
            late = await written_links.removed_links(conn, site, ended, before=before)
        client = await ctx.sites.client(site)
        for link in sorted(late):
            if await client.get_link(link) is not None:
                await site_went_back.stop(ctx, site, "removed_link_is_back")
                raise TransientError("site_went_back")


async def _watch_reused(ctx: Context, look: Look, side: Side) -> None:
    """An id that is another link's by now says that this Jira went back in time. Once a person
    knows, it proves that the link which had the id is gone."""
    site = look.running.site(side)
    reused = any(
        found is Lookup.REUSED for (where, _), found in look.lookups.items() if where is side
    )
    if reused and not await site_went_back.is_known(ctx, site):
        await site_went_back.stop(ctx, site, "link_id_of_another")
        raise TransientError("site_went_back")


async def prove(ctx: Context, look: Look, asked: Mapping[LinkKey, frozenset[Side]]) -> None:
    """Gather what a proof of absence needs for the named sides: see docs/how-it-decides.md. Raises
    `PermanentError` where another Jira, or another account, answers than was pinned.

    Errors of single steps leave their part missing, so that the judgement is *unknown*; an
    error of the bulk read is raised, since it concerns the whole look.
    """
    for side in Side:
        keys = [key for key, sides in asked.items() if side in sides]
        if not keys:
            continue
        client = await ctx.sites.client(look.running.site(side))
        if await is_assured(client):
            look.assured.add(side)
        else:
            look.assured.discard(side)
        await read_missing(client, look, side, keys)
        await _look_up(client, look, side, keys)
        await _watch_reused(ctx, look, side)
        if not await _links_shown(client, look, side, keys) or not client.assured():
            look.assured.discard(side)


async def read_origins(
    ctx: Context, look: Look, decisions: Mapping[LinkKey, Decision]
) -> list[LinkKey]:
    """Before a mirror is made, both ends of its origin are seen to be the issues that we know: the
    listing of one end names the other one by its id alone. Answers the links to decide again."""
    again = []
    for side in Side:
        seen = look.readings[side]
        keys = [
            key
            for key, it in decisions.items()
            if isinstance(it, CreateMirror) and it.origin is side
            if any(
                look.twins[twin].born(side) is not None
                and look.twins[twin].on(side).id not in seen.issues
                and look.twins[twin].on(side).id not in seen.unread
                for twin in key.twins
            )
        ]
        if keys:
            client = await ctx.sites.client(look.running.site(side))
            await read_missing(client, look, side, keys)
            again += keys
    return again


async def is_assured(client: JiraClient) -> bool:
    try:
        await client.assure()
    except NotThePinned:
        raise
    except (PermanentError, TransientError):
        return False
    return True


async def read_missing(client: JiraClient, look: Look, side: Side, keys: Iterable[LinkKey]) -> None:
    reading = look.readings[side]
    wanted = {end.id for key in keys for end in look.ends(key, side)}
    missing = sorted(wanted - reading.issues.keys() - reading.unread.keys())
    if missing:
        same_issue.take(look, side, await client.read_issues(missing))


async def _look_up(client: JiraClient, look: Look, side: Side, keys: Iterable[LinkKey]) -> None:
    async def one(each: tuple[LinkKey, LinkId]) -> None:
        key, link_id = each
        look.lookups[side, link_id] = await _lookup(client, look, side, key, link_id)

    known = [(key, it) for key in keys if (it := look.known_id(key, side)) is not None]
    await side_by_side(LOOKUPS_AT_ONCE, one, known)


async def _links_shown(client: JiraClient, look: Look, side: Side, keys: Iterable[LinkKey]) -> bool:
    """Asked after a link that we know has answered 404: the assurance may be older than that, and
    a type that an administrator deleted has taken its links with it: nobody removed them."""
    kinds = {
        types.on(side).id
        for key in keys
        if (it := look.known_id(key, side)) is not None
        and look.lookups.get((side, it)) is Lookup.GONE
        and (types := look.pair_types(key)) is not None
    }
    if not kinds:
        return True
    try:
        return kinds <= {kind.id for kind in await client.link_types()}
    except (PermanentError, TransientError):
        return False


async def _lookup(
    client: JiraClient, look: Look, side: Side, key: LinkKey, link_id: LinkId
) -> Lookup:
    try:
        link = await client.get_link(link_id)
    except (PermanentError, TransientError):
        return Lookup.ERROR
    if link is None:
        return Lookup.GONE
    types = look.pair_types(key)
    assert types is not None
    source, destination = look.ends(key, side)
    kind = types.on(side)
    if {link.source.id, link.destination.id} != {source.id, destination.id}:
        return Lookup.REUSED
    same = link.equals(kind.id, Ends(source.id, destination.id), symmetric=kind.symmetric)
    return Lookup.SAME if same else Lookup.CHANGED


def judge(look: Look, key: LinkKey, side: Side, *, proven: bool) -> Observed:
    """What *side* shows of a link: the listings, corrected by what was asked by id, with the
    links that are never an origin marked."""
    facts = look.facts(key, side)
    if same_issue.replaced(look, side, (facts.ends.source, facts.ends.destination)):
        return Unknown("issue_replaced")
    seen = presence(facts) if proven else glance(facts)
    ended = look.ended.get(side, set())
    ids = (seen.ids if isinstance(seen, Present) else frozenset()) - ended
    ids |= look.unlisted.get((side, key), set()) - ended
    if facts.known is not None and facts.lookup is Lookup.SAME:
        ids |= {facts.known}
    if ids:
        known_gone = (
            facts.known is not None
            and facts.known not in ids
            and (facts.known_is_gone or facts.known in ended)
        )
        foreign, made = look.foreign.get(side, set()), look.made.get(side, set())
        return Present(ids, known_gone, ids & foreign, ids & made)
    return Unknown("listing_lags") if isinstance(seen, Present) else seen
