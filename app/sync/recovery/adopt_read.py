"""What both sites show of links that are there without being managed, judged for an adoption."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from app.core.accounts import disguised
from app.core.adoption import Adopt, Skip, Window, judge, wrote
from app.core.errors import TransientError
from app.core.evidence import IssueView, Reading
from app.core.ledger import LinkKey, Row
from app.core.links import Ends, IssueId, Link, LinkType, Side, equal_links
from app.core.operations import Operation
from app.store.config.active_connection import Running
from app.store.links import made_links, managers, twins
from app.store.writes.plans import Planned
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import side_by_side
from app.sync.sites.link_types import refreshed_types

READS_AT_ONCE = 4
"""Whole changelogs side by side: a read each, where a bulk answer cuts them off."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One ledger row and the links that are there; without a verdict to adopt, either side's
    may be missing."""

    row: Row
    verdict: Adopt | Skip
    links: Mapping[Side, Link]

    @property
    def mirror(self) -> Side:
        """The side that becomes the mirror, or that the row has for it."""
        return self.verdict.mirror if isinstance(self.verdict, Adopt) else self.row.mirror


async def examine(
    ctx: Context,
    state: Running,
    rows: Sequence[Row],
    window: Window,
    salt: bytes,
    *,
    patient: bool = True,
) -> tuple[Look, list[Pair]]:
    """Judge these rows by what both sides show now. Those whose type is not mapped any more, or
    whose twins are gone, are left out.

    Raises `TransientError` where a site cannot be read and, if *patient*, where it could not
    deliver one of the issues.
    """
    look = Look(state, ctx.clock(), {})
    ends = {twin for row in rows for twin in row.key.twins}
    async with ctx.database.connection() as conn:
        look.know((await twins.by_ids(conn, state.id, ends)).values())
    known = [row for row in rows if _in_map(look, row)]
    types: dict[Side, Sequence[LinkType]] = {}
    for side in Side:
        types[side] = await refreshed_types(ctx, state.site(side))
        issues = {end.id for row in known for end in look.ends(row.key, side)}
        look.readings[side] = await read_whole(ctx, look, side, issues, salt, patient=patient)
        listed = {link.id for row in known for link in equal_listed(look, row.key, side)}
        async with ctx.database.connection() as conn:
            look.foreign[side] = await managers.managed_elsewhere(
                conn, state.id, state.site(side), listed
            )
            look.made[side] = set(await made_links.among(conn, state.site(side), listed))
    return look, [_judge(look, row, types, window) for row in known]


def planned(look: Look, pair: Pair) -> Planned:
    """The pair as a plan shows it: by its mirror."""
    key, mirror = pair.row.key, pair.mirror
    kinds = look.pair_types(key)
    assert kinds is not None
    source, destination = look.ends(key, mirror)
    link, origin = pair.links.get(mirror), pair.links.get(mirror.other)
    evidence = {"row": str(pair.row.id), "origin": mirror.other.value}
    if origin is not None:
        evidence["origin_link"] = origin.id
    return Planned(
        operation=Operation.ADOPT,
        site=look.running.site(mirror),
        type_id=kinds.on(mirror).id,
        source=source,
        destination=destination,
        link_id=link.id if link is not None else None,
        key=key,
        reason=pair.verdict.reason if isinstance(pair.verdict, Skip) else "written_by_account",
        evidence=evidence,
    )


def _judge(look: Look, row: Row, types: Mapping[Side, Sequence[LinkType]], window: Window) -> Pair:
    seen = {side: equal_listed(look, row.key, side) for side in Side}
    links = {side: found[0] for side, found in seen.items() if len(found) == 1}
    if any(unseen(look, row.key, side) for side in Side):
        return Pair(row, Skip("issue_not_seen"), links)
    if not all(seen.values()):
        return Pair(row, Skip("one_side"), links)
    if len(links) < len(Side):
        # Of a symmetric type people may have made both ways round: which one was mirrored?
        return Pair(row, Skip("several_links"), links)
    said = {
        side: wrote(look.readings[side].issues, links[side], types[side], window) for side in Side
    }
    verdict = judge(said[Side.LEFT], said[Side.RIGHT])
    if isinstance(verdict, Adopt):
        verdict = _permitted(look, links, verdict)
    return Pair(row, verdict, links)


def _permitted(look: Look, links: Mapping[Side, Link], wanted: Adopt) -> Adopt | Skip:
    """A link that another connection manages is neither ours to manage nor an origin; one that we
    made before is no origin."""
    if not look.running.config.direction.allows_origin(wanted.mirror.other):
        return Skip("direction")
    if any(links[side].id in look.foreign[side] for side in Side):
        return Skip("managed_elsewhere")
    if links[wanted.mirror.other].id in look.made[wanted.mirror.other]:
        return Skip("made_by_us")
    return wanted


def _in_map(look: Look, row: Row) -> bool:
    kinds = look.pair_types(row.key)
    if kinds is None or kinds.right.id != row.right_type:
        return False
    ends = [look.twins.get(twin) for twin in row.key.twins]
    if any(twin is None or twin.suspended is not None for twin in ends):
        return False
    source, _ = look.ends(row.key, Side.RIGHT)
    return kinds.left.symmetric or row.right_source in (None, source.id)


def unseen(look: Look, key: LinkKey, side: Side) -> bool:
    """Also where an end has another key by now: its changelog speaks of the former one."""
    views = [(look.readings[side].issues.get(end.id), end.key) for end in look.ends(key, side)]
    return any(
        view is None or view.links is None or view.ref.key != name or view.archived
        for view, name in views
    )


def equal_listed(look: Look, key: LinkKey, side: Side) -> list[Link]:
    """Every link of this key on a side, listed by either end."""
    kinds = look.pair_types(key)
    assert kinds is not None
    source, destination = look.ends(key, side)
    views = [look.readings[side].issues.get(end.id) for end in (source, destination)]
    found = {
        link.id: link
        for view in views
        if view is not None and view.links is not None
        for link in equal_links(view.links, kinds.on(side), Ends(source.id, destination.id))
    }
    return list(found.values())


async def read_whole(
    ctx: Context, look: Look, side: Side, issues: set[IssueId], salt: bytes, *, patient: bool
) -> Reading:
    """With whole changelogs, and authors keyed."""
    client = await ctx.sites.client(look.running.site(side))
    await client.assure()
    reading = await client.read_issues(sorted(issues, key=int), changelog=True, bulk=True)
    if patient and any(why != "not_returned" for why in reading.unread.values()):
        raise TransientError("issue_unread")

    async def whole(view: IssueView) -> IssueView:
        if not view.changes_complete:
            unseen = replace(view, changes=None, changes_complete=False)
            view = await client.whole_changelog(view) or unseen
        return disguised(view, salt)

    views = await side_by_side(READS_AT_ONCE, whole, reading.issues.values())
    return replace(reading, issues=MappingProxyType({view.ref.id: view for view in views}))
