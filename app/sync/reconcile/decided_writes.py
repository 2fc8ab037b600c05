"""From decisions to the writes that a look proposes."""

from collections.abc import Mapping

from app.core.config import OnIssueDeleted
from app.core.diff import CreateMirror, Decision, Nothing, RemoveMirror
from app.core.evidence import Present
from app.core.ledger import LinkKey, State
from app.core.links import LinkId, Side
from app.core.operations import Operation, Write
from app.store.writes.intents import Wanted
from app.sync.look import read_sides, scope
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context
from app.sync.writes.proposal import Proposal


async def proposals_for(
    ctx: Context, look: Look, decisions: Mapping[LinkKey, Decision]
) -> list[Proposal]:
    """The writes that follow from *decisions*, removals of orphaned mirrors included. Raises what
    the Jira clients raise."""
    proposals = []
    for key, decision in decisions.items():
        match decision:
            case CreateMirror(origin=origin, origin_id=origin_id, row=row):
                proposals.append(_creation(look, key, origin, origin_id, f"row_{row}"))
            case RemoveMirror(mirror_id=mirror_id):
                proposals.append(_removal(look, key, mirror_id, "row_7"))
            case Nothing() if _orphaned(look, key):
                proposals += await _orphan_removal(ctx, look, key)
            case _:
                continue
    return proposals


def _orphaned(look: Look, key: LinkKey) -> bool:
    row = look.rows.get(key)
    return row is not None and row.state is State.ORPHANED and row.former is State.MANAGED


async def _orphan_removal(ctx: Context, look: Look, key: LinkKey) -> list[Proposal]:
    """`on_issue_deleted: remove`: with the authenticated delivery that says so, and only
    while our mirror's id is listed. It passes the guard like any removal."""
    row = look.rows[key]
    if look.running.config.on_issue_deleted is not OnIssueDeleted.REMOVE or row.mirror_id is None:
        return []
    client = await ctx.sites.client(look.running.site(row.origin))
    await client.assure()
    delivery = await scope.deleted_ends(ctx, look, key, row.origin)
    mirror = read_sides.judge(look, key, row.mirror, proven=False)
    if delivery is None or not isinstance(mirror, Present) or row.mirror_id not in mirror.ids:
        return []
    return [_removal(look, key, row.mirror_id, "issue_deleted", delivery=delivery)]


def _creation(look: Look, key: LinkKey, origin: Side, origin_id: LinkId, reason: str) -> Proposal:
    wanted = _wanted(look, key, Operation.CREATE, origin, origin_id, None)
    read_at = look.readings[origin.other].at.isoformat()
    evidence = {"origin_link": origin_id, "mirror_read_at": read_at}
    return Proposal(wanted, look.rows.get(key), reason, look.physical(key, origin), evidence)


def _removal(look: Look, key: LinkKey, mirror_id: LinkId, reason: str, **more: str) -> Proposal:
    row = look.rows[key]
    wanted = _wanted(look, key, Operation.REMOVE, row.origin, row.link_on(row.origin), mirror_id)
    read_at = look.readings[row.origin].at.isoformat()
    evidence = {"origin_read_at": read_at, **row.author_evidence, **more}
    known = row.link_on(row.origin)
    if known is not None:
        evidence["origin_link"] = known
        lookup = look.lookups.get((row.origin, known))
        evidence["origin_lookup"] = lookup.value if lookup else "not_asked"
    return Proposal(wanted, row, reason, evidence=evidence)


def _wanted(
    look: Look,
    key: LinkKey,
    operation: Write,
    origin: Side,
    origin_id: LinkId | None,
    link_id: LinkId | None,
) -> Wanted:
    mirror = origin.other
    types = look.pair_types(key)
    assert types is not None
    source, destination = look.ends(key, mirror)
    origin_source, origin_destination = look.ends(key, origin)
    row = look.rows.get(key)
    return Wanted(
        operation=operation,
        site=look.running.site(mirror),
        type_id=types.on(mirror).id,
        source=source,
        destination=destination,
        physical=look.physical(key, mirror),
        key=key,
        right_type=types.right.id,
        origin=origin,
        origin_link=origin_id,
        origin_source=origin_source,
        origin_destination=origin_destination,
        link_id=link_id,
        ledger_id=row.id if row else None,
        read_at=look.readings[mirror].at,
        guarded=operation is Operation.REMOVE,
        cause=look.cause(key),
    )
