"""Fill a look: what the store knows, what both sites show, and proof where it is asked for."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from app.core.errors import PermanentError, TransientError
from app.core.evidence import Lookup, Observed, Present, Reading, glance, presence
from app.core.ledger import LinkKey
from app.core.links import Ends, IssueId, LinkId, Side
from app.jira.client import JiraClient
from app.store import inbox_read, ledger, twins
from app.store.running import Running
from app.store.work import Claimed
from app.sync.context import Context
from app.sync.look import Look

# Single lookups run side by side, but a burst of proofs must not crowd out everything else.
LOOKUPS_AT_ONCE = 8


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
    """Both issues of every claimed pair in as few bulk reads as there are sides."""
    bulk = all(it.bulk for it in look.pairs.values())
    issues = {side: [twin.on(side).id for twin in look.claimed_twins()] for side in Side}
    left, right = await asyncio.gather(
        *(_read(ctx, look, side, issues[side], bulk=bulk) for side in Side)
    )
    look.readings = {Side.LEFT: left, Side.RIGHT: right}
    await _know_far_ends(ctx, look)
    await _expect(ctx, look)
    await _know_foreign(ctx, look)


async def _read(
    ctx: Context, look: Look, side: Side, issues: list[IssueId], *, bulk: bool
) -> Reading:
    client = await ctx.sites.client(look.running.site(side))
    return await client.read_issues(issues, bulk=bulk)


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


async def _expect(ctx: Context, look: Look) -> None:
    """Links that an event says were made and that no listing shows: the listing may lag."""
    causes = [cause for it in look.pairs.values() for cause in it.causes]
    if not causes:
        return
    async with ctx.database.connection() as conn:
        events = await inbox_read.link_events(conn, causes)
    ended = {(event.site, event.link) for event in events if event.kind == "link_deleted"}
    listed = {(side, link.id) for side in Side for link in look.listed(side)}
    for event in events:
        side = look.running.side_of(event.site)
        if event.kind != "link_created" or (event.site, event.link) in ended:
            continue
        key = look.key_of(side, event.type_id, event.ends)
        if key is not None and key not in look.rows and (side, event.link) not in listed:
            look.expected[side, key] = event.link


async def _know_foreign(ctx: Context, look: Look) -> None:
    """Which of the listed links another connection manages: those are never origins."""
    for side in Side:
        links = {link.id for link in look.listed(side)}
        if links:
            async with ctx.database.connection() as conn:
                site = look.running.site(side)
                look.foreign[side] = await ledger.managed_elsewhere(
                    conn, look.running.id, site, links
                )


async def prove(ctx: Context, look: Look, asked: Mapping[LinkKey, frozenset[Side]]) -> None:
    """Gather what a proof of absence needs for the named sides: see design section 4.

    Errors of single steps leave their part missing, so that the judgement is *unknown*; an
    error of the bulk read is raised, since it concerns the whole look.
    """
    for side in Side:
        keys = [key for key, sides in asked.items() if side in sides]
        if not keys:
            continue
        client = await ctx.sites.client(look.running.site(side))
        if await _is_assured(client):
            look.assured.add(side)
        else:
            look.assured.discard(side)
        await _read_missing(client, look, side, keys)
        await _look_up(client, look, side, keys)
        if not client.assured():
            look.assured.discard(side)


async def _is_assured(client: JiraClient) -> bool:
    try:
        await client.assure()
    except (PermanentError, TransientError):
        return False
    return True


async def _read_missing(
    client: JiraClient, look: Look, side: Side, keys: Iterable[LinkKey]
) -> None:
    reading = look.readings[side]
    wanted = {end.id for key in keys for end in look.ends(key, side)}
    missing = sorted(wanted - reading.issues.keys() - reading.unread.keys())
    if missing:
        look.readings[side] = reading.merged(await client.read_issues(missing))


async def _look_up(client: JiraClient, look: Look, side: Side, keys: Iterable[LinkKey]) -> None:
    gate = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def one(key: LinkKey, link_id: LinkId) -> None:
        async with gate:
            look.lookups[side, link_id] = await _lookup(client, look, side, key, link_id)

    await asyncio.gather(
        *(one(key, known) for key in keys if (known := look.known_id(key, side)) is not None)
    )


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
    same = link.equals(kind.id, Ends(source.id, destination.id), symmetric=kind.symmetric)
    return Lookup.SAME if same else Lookup.CHANGED


def judge(look: Look, key: LinkKey, side: Side, *, proven: bool) -> Observed:
    """What *side* shows of a link, with the links that other connections manage marked."""
    facts = look.facts(key, side)
    seen = presence(facts) if proven else glance(facts)
    if isinstance(seen, Present):
        return replace(seen, foreign=seen.ids & look.foreign.get(side, set()))
    return seen
