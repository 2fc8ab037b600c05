"""What keeps a proposed write from being reserved, apart from the guard: a mode that forbids it,
grounds that have changed, another write or manager of its link, a link that flaps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core.connection.modes import may_write
from app.core.ledger import LinkKey
from app.core.links import Ends, LinkId, PhysicalKey
from app.core.results import Busy, Elsewhere, Failed, ModeForbids, Refused, Stale
from app.store.config.active_connection import Running
from app.store.links import ledger, made_links, managers, twins
from app.store.pool import Connection
from app.store.writes import written_links
from app.sync.look.snapshot import Look
from app.sync.look.update_ledger import standing_claims
from app.sync.runtime.context import Context
from app.sync.writes.proposal import Proposal


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What the proposals are based on, as it is now, under the connection's lock."""

    claims: set[int]
    twins: set[int]
    rows: set[int]
    occupied: set[LinkKey]
    being_written: set[PhysicalKey]
    written: set[PhysicalKey]

    def hold(self, it: Proposal) -> bool:
        row_holds = it.row.id in self.rows if it.row else it.key not in self.occupied
        return (
            row_holds
            and not self.claims.isdisjoint(it.key.twins)
            and self.twins.issuperset(it.key.twins)
            and it.wanted.physical not in self.written
        )


async def refusals(
    conn: Connection, ctx: Context, look: Look, state: Running, proposals: Sequence[Proposal]
) -> Mapping[LinkKey, Refused]:
    """Of *proposals*, those that may not go, and why."""
    grounds = await _grounds(conn, ctx, look, state, proposals)
    elsewhere = await _managed_elsewhere(conn, state, proposals)
    flapping = await written_links.flapping(
        conn, [it.wanted.physical for it in proposals], ctx.clock()
    )

    def why(it: Proposal) -> Refused | None:
        if not may_write(state.mode, it.wanted.operation):
            return ModeForbids()
        if not grounds.hold(it):
            return Stale()
        if not grounds.being_written.isdisjoint((it.wanted.physical, it.origin_physical)):
            return Busy()
        if it.key in elsewhere:
            return Elsewhere()
        return Failed("flapping") if it.wanted.physical in flapping else None

    return {it.key: found for it in proposals if (found := why(it)) is not None}


async def _grounds(
    conn: Connection, ctx: Context, look: Look, state: Running, proposals: Sequence[Proposal]
) -> _Grounds:
    ends = {twin for it in proposals for twin in it.key.twins}
    new = [it.key for it in proposals if it.row is None]
    physical = [it.wanted.physical for it in proposals]
    origins = [it.origin_physical for it in proposals if it.origin_physical is not None]
    # Open before written: another connection's write that ends in between shows in both.
    return _Grounds(
        claims=await standing_claims(conn, look, ctx),
        twins=await twins.standing(conn, [look.twins[twin] for twin in ends]),
        rows=await ledger.versions(conn, [it.row for it in proposals if it.row]),
        occupied=await ledger.occupied(conn, state.id, new),
        being_written=await written_links.open_at(conn, physical + origins),
        written=await written_links.written_since(conn, physical, look.started_at),
    )


async def _managed_elsewhere(
    conn: Connection, state: Running, proposals: Iterable[Proposal]
) -> set[LinkKey]:
    """Links to be made whose place another row holds, or whose origin is by now a link that
    another connection manages, or that we made: its outcome came after the look."""
    creates = [it for it in proposals if not it.removes]
    managed = await managers.managed_keys(conn, [it.wanted.physical for it in creates])
    held_up = set()
    for it in creates:
        owner = managed.get(it.wanted.physical)
        if owner is not None and (it.row is None or owner[1].id != it.row.id):
            held_up.add(it.key)
        origin = it.wanted.origin_link
        site = state.site(it.wanted.origin)
        if origin is not None and (
            await managers.managed_elsewhere(conn, state.id, site, [origin])
            or await _made_by_us(conn, site, it, origin)
        ):
            held_up.add(it.key)
    return held_up


async def _made_by_us(conn: Connection, site: int, it: Proposal, origin: LinkId) -> bool:
    made = (await made_links.among(conn, site, [origin])).get(origin)
    ends = Ends(it.wanted.origin_source.id, it.wanted.origin_destination.id)
    place = it.origin_physical
    return made is not None and place is not None and made.names(place.type_id, ends)
