"""At rest: mirrors equal the origins in scope. Rows of ours only name the excuse for a gap."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from app.core.config import ConnectionConfig, TypePair
from app.core.links import Side
from app.core.twin_claims import LETTING_GO
from app.store.config import active_connection
from app.store.config.active_connection import Running
from app.store.links import twins
from app.store.links.twins import Twin
from tests.support.engine import OUR_ACCOUNTS, Station, World

RESTING = ("suspended", "orphaned")


@dataclass(frozen=True, slots=True)
class Key:
    """One link key of one connection, as the oracle sees it; *at* in terms of each site."""

    types: TypePair
    source: Twin
    destination: Twin

    def ids(self, station: Station, side: Side) -> set[int]:
        """Every equal link that stands on *side*."""
        places = self.places(side)
        links = station.jira.links.values()
        return {it.id for it in links if (it.type_id, it.source, it.destination) in places}

    def places(self, side: Side) -> list[tuple[int, int, int]]:
        """As type, source and destination: two where the type has no direction."""
        type_id = int(self.types.on(side).id)
        ends = int(self.source.on(side).id), int(self.destination.on(side).id)
        if side is Side.RIGHT and self.types.reversed:
            ends = ends[1], ends[0]
        turned = [(type_id, ends[1], ends[0])] if self.types.left.symmetric else []
        return [(type_id, *ends), *turned]

    @property
    def name(self) -> tuple[int, int, int]:
        """As ledger rows and plans name it."""
        return int(self.types.left.id), self.source.id, self.destination.id

    def ever_removed(
        self, station: Station, side: Side, *, by: Container[str] | None = None
    ) -> bool:
        ends = {int(self.source.on(side).id), int(self.destination.on(side).id)}
        return any(
            {it.source, it.destination} == ends
            and it.type_id == int(self.types.on(side).id)
            and (by is None or it.actor in by)
            for it in station.jira.mutations.select("removed")
        )


@dataclass(slots=True)
class Rest:
    """One connection once everything can be seen and nothing is due."""

    world: World
    state: Running
    stations: dict[Side, Station]
    rows: dict[tuple[int, int, int], dict[str, Any]]
    twins: list[Twin]
    foreign: dict[Side, set[int]]
    kept: dict[Side, set[tuple[int, int, int]]]
    waiting: set[int]
    shown: set[int]
    held: set[tuple[int, int, int]]
    withheld: set[tuple[int, int, int]]

    @property
    def config(self) -> ConnectionConfig:
        return self.state.config

    def keys(self) -> Iterator[Key]:
        alive = [it for it in self.twins if it.suspended is None and self._alive(it)]
        for source, destination in permutations(alive, 2):
            for types in self.config.link_types:
                key = Key(types, source, destination)
                if not types.left.symmetric or int(source.left.id) < int(destination.left.id):
                    yield key

    def check(self) -> None:
        for twin in self.twins:
            if self._alive(twin) and twin.suspended != LETTING_GO:
                inside = all(self._covered(twin, side) for side in Side)
                assert inside == (twin.suspended is None), f"scope of {twin}"
        for key in self.keys():
            self.check_key(key)

    def _covered(self, twin: Twin, side: Side) -> bool:
        """In the first project that the site had, whatever its key is by now."""
        jira = self.stations[side].jira
        return jira.issue(twin.on(side).id).project == min(jira.projects)

    def check_key(self, key: Key) -> None:
        try:
            self._check_key(key)
        except AssertionError:
            # Where a site went back, another link may have an id that we know, and an issue a
            # key of before: unknown for good, which changes nothing and has to be shown.
            if not self._went_back() or self.shown.isdisjoint((key.source.id, key.destination.id)):
                raise

    def _check_key(self, key: Key) -> None:
        row = self.rows.get(key.name)
        seen = {side: key.ids(self.stations[side], side) for side in Side}
        told = f"{self.state.name} {key} row={row} seen={seen} held={key.name in self.held}"
        if row is None:
            for side in Side:
                # Another connection's row keeps its mirror's place while it is at rest, or while a
                # mirror that somebody took away waits for a person; what waits for it is shown.
                kept = not self.kept[side.other].isdisjoint(key.places(side.other))
                waits = kept and self.waiting >= {key.source.id, key.destination.id}
                if self.config.direction.allows_origin(side) and not waits:
                    assert not seen[side] - self.foreign[side], f"not mirrored: {told}"
            return
        if row["state"] == "suspended" and self._out_of_map(key, row):
            return
        assert row["state"] not in RESTING, f"rests for no reason: {told}"
        origin = Side(row["origin"])
        if row["state"] == "managed":
            if seen[origin] and not seen[origin] - self.foreign[origin]:
                return  # another connection's mirror is no origin, and no absence of one
            mirror = row[f"{origin.other}_link_id"]
            if mirror not in seen[origin.other] and key.name in self.withheld:
                return  # gone by somebody else's hand, beyond the guard's limit: not followed
            assert mirror in seen[origin.other], f"mirror gone: {told}"
            station = self.stations[origin.other]
            made = {it.actor for it in station.jira.mutations.select("created", link_id=mirror)}
            # Its id may be a person's link since the site went back: never ours to remove.
            assert mirror in station.ours or made & {*OUR_ACCOUNTS}, f"not ours: {told}"
            assert seen[origin] or key.name in self.held, f"origin gone: {told}"
        elif row["state"] == "preexisting":
            assert seen[Side.LEFT], told
            assert seen[Side.RIGHT], told
        else:
            assert seen[Side.LEFT] or seen[Side.RIGHT], f"to be forgotten: {told}"
            assert any(key.ever_removed(self.stations[side], side) for side in Side), told

    def _out_of_map(self, key: Key, row: dict[str, Any]) -> bool:
        """A revision has changed since: the origin's side leads no more, or the type is turned
        round."""
        leads = self.config.direction.allows_origin(Side(row["origin"]))
        right = key.destination if key.types.reversed else key.source
        turned = not key.types.left.symmetric and row["right_source_id"] != int(right.right.id)
        return turned or not (leads or row["former"] == "preexisting")

    def _went_back(self) -> bool:
        stations = self.stations.values()
        return any(it.cause == "restore" for at in stations for it in at.jira.mutations)

    def _alive(self, twin: Twin) -> bool:
        return all(self.stations[side].jira.find(twin.on(side).id) is not None for side in Side)


async def resting(world: World, connection: int) -> Rest | None:
    async with world.database.connection() as conn:
        state = await active_connection.load(conn, connection)
        ids = await twins.page(conn, connection, after=0, limit=1000)
        pairs = await twins.by_ids(conn, connection, ids)
        shown = await conn.fetch(
            "SELECT twin_id, waiting FROM work WHERE connection_id = $1 AND waiting IS NOT NULL",
            connection,
        )
    if state is None:
        return None
    by_id = {it.id: it for it in world.stations.values()}
    ledger, withheld = await world.ledger(), {_name(row) for row in await world.withheld()}
    keeping = [it for it in ledger if it["connection_id"] != connection and _keeps(it, withheld)]
    return Rest(
        world,
        state,
        {side: by_id[state.site(side)] for side in Side},
        {_name(row): row for row in ledger if row["connection_id"] == connection},
        list(pairs.values()),
        {
            # What we made is never an origin, whatever became of its row.
            side: _managed_elsewhere(ledger, connection, state.site(side))
            | by_id[state.site(side)].ours
            for side in Side
        },
        {side: _kept(keeping, state.site(side)) for side in Side},
        {row["twin_id"] for row in shown if row["waiting"].endswith("elsewhere")},
        {row["twin_id"] for row in shown},
        {_name(row) for row in await world.held()},
        withheld,
    )


def _name(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["left_type_id"], row["source_twin_id"], row["destination_twin_id"]


def _managed_elsewhere(ledger: list[dict[str, Any]], connection: int, site: int) -> set[int]:
    found = set()
    for row in ledger:
        managed = "managed" in (row["state"], row["former"])
        if managed and row["connection_id"] != connection and row["mirror_site_id"] == site:
            found.add(row["right_link_id" if row["origin"] == "left" else "left_link_id"])
    return found


def _keeps(row: dict[str, Any], withheld: set[tuple[int, int, int]]) -> bool:
    """Its mirror's place, though no mirror may stand there."""
    at_rest = row["state"] in RESTING and row["former"] == "managed"
    return at_rest or (row["state"] == "managed" and _name(row) in withheld)


def _kept(keeping: list[dict[str, Any]], site: int) -> set[tuple[int, int, int]]:
    found = set()
    for row in keeping:
        if row["mirror_site_id"] == site:
            side = "right" if row["origin"] == "left" else "left"
            kind, source, destination = (
                int(row[f"{side}_{it}_id"]) for it in ("type", "source", "destination")
            )
            found.add((kind, source, destination))
    return found
