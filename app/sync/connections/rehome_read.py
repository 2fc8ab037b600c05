"""What a ledger row of the former connection means to its successor, by what both sites show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.ledger import Authorship, LinkKey, Row
from app.core.links import Ends, Link, Side, equal_links
from app.core.operations import Operation
from app.store.config.active_connection import Running
from app.store.links import twins
from app.store.writes.plans import Planned
from app.sync.connections.rehome_judge import Carry, Leave, Shown, judge
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.writes import author_proof
from app.sync.writes.author_proof import Asked


@dataclass(frozen=True, slots=True)
class Case:
    """`key` in terms of the successor; None where an end has no counterpart there."""

    row: Row
    key: LinkKey | None
    verdict: Carry | Leave


@dataclass(slots=True)
class Move:
    """Both connections with the twins that were loaded; `side` is the one that has moved."""

    former: Look
    successor: Look
    side: Side

    def key(self, row: Row) -> LinkKey | None:
        """By the side that stayed: its issues and types have the ids of before."""
        stays = self.side.other
        types = self.former.pair_types(row.key)
        if types is None or not all(twin in self.former.twins for twin in row.key.twins):
            return None
        source, destination = self.former.ends(row.key, stays)
        return self.successor.key_of(stays, types.on(stays).id, Ends(source.id, destination.id))

    def planned(self, case: Case) -> Planned:
        """The row as a plan shows it, by its mirror: where it is carried over in terms of the new
        site, else of the former one."""
        row, mirror = case.row, case.row.mirror
        evidence = {"row": str(row.id), "origin": row.origin.value}
        if row.mirror_id is not None:
            evidence["former_link"] = row.mirror_id
        carried = isinstance(case.verdict, Carry) and case.key is not None
        look, key = (self.successor, case.key) if carried else (self.former, row.key)
        assert key is not None
        types = look.pair_types(key)
        type_id = mirror.pick(row.key.left_type, row.right_type)
        link_id = row.mirror_id
        if isinstance(case.verdict, Carry):
            moved = mirror is self.side
            link_id = case.verdict.moved if moved else case.verdict.stayed
        source, destination = look.ends(key, mirror)
        return Planned(
            operation=Operation.ADOPT,
            site=look.running.site(mirror),
            type_id=type_id if types is None else types.on(mirror).id,
            source=source,
            destination=destination,
            link_id=link_id,
            key=key,
            reason=case.verdict.reason if isinstance(case.verdict, Leave) else "rehomed",
            evidence=evidence,
        )


async def examine(
    ctx: Context, former: Running, successor: Running, side: Side, rows: Sequence[Row]
) -> tuple[Move, list[Case]]:
    """Judge these rows. Raises what reading raises."""
    move = Move(Look(former, ctx.clock(), {}), Look(successor, ctx.clock(), {}), side)
    stays = side.other
    async with ctx.database.connection() as conn:
        ends = {twin for row in rows for twin in row.key.twins}
        found = await twins.by_ids(conn, former.id, ends)
        move.former.know(found.values())
        issues = {twin.on(stays).id for twin in found.values()}
        moved = await twins.by_issues(conn, successor.id, stays, issues)
        move.successor.know(moved.values())
    known = [row for row in rows if all(twin in move.former.twins for twin in row.key.twins)]
    keys = {row.id: key for row in known if (key := move.key(row)) is not None}
    links = await _read(ctx, move, keys)
    authors = await _authors(ctx, move, links)
    cases = []
    for row in known:
        key = keys.get(row.id)
        if key is None:
            cases.append(Case(row, None, Leave("issue_not_moved")))
        elif any((key, at) not in links for at in Side):
            cases.append(Case(row, key, Leave("issue_not_seen")))
        else:
            there = links[key, side]
            author = authors.get(there[0].id, Authorship.UNKNOWN) if there else Authorship.UNKNOWN
            shown = Shown(there, links[key, stays], author)
            cases.append(Case(row, key, judge(row, side, shown)))
    return move, cases


async def _read(
    ctx: Context, move: Move, keys: Mapping[int, LinkKey]
) -> dict[tuple[LinkKey, Side], list[Link]]:
    """Every equal link by key and side; a side of which an end is not seen is left out."""
    look = move.successor
    found: dict[tuple[LinkKey, Side], list[Link]] = {}
    for side in Side:
        client = await ctx.sites.client(look.running.site(side))
        await client.assure()
        ends = {end.id for key in keys.values() for end in look.ends(key, side)}
        reading = await client.read_issues(sorted(ends, key=int), bulk=True)
        for key in set(keys.values()):
            views = [reading.issues.get(end.id) for end in look.ends(key, side)]
            if any(view is None or view.links is None for view in views):
                continue
            listed = {link.id: link for view in views if view for link in view.links or ()}
            found[key, side] = _equal(look, key, side, list(listed.values()))
    return found


def _equal(look: Look, key: LinkKey, side: Side, listed: Sequence[Link]) -> list[Link]:
    types = look.pair_types(key)
    assert types is not None
    source, destination = look.ends(key, side)
    equal = equal_links(listed, types.on(side), Ends(source.id, destination.id))
    return sorted(equal, key=lambda it: (len(it.id), it.id))


async def _authors(
    ctx: Context, move: Move, links: Mapping[tuple[LinkKey, Side], Sequence[Link]]
) -> dict[str, Authorship]:
    """Who made each link of the new site that may be carried over."""
    single = [it[0] for (_, side), it in links.items() if side is move.side and len(it) == 1]
    if not single:
        return {}
    client = await ctx.sites.client(move.successor.running.site(move.side))
    found = await author_proof.authors(ctx, client, [Asked(link) for link in single])
    return {link.id: author for link, author in zip(single, found, strict=True)}
