"""What really stood on the sites, and when, by their own logs: the measure of every conclusion."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.engine import ACCOUNT, Station

BASE = 1_767_225_600.0
"""Unix seconds at which every story begins."""


@dataclass(frozen=True, slots=True)
class Place:
    """A link wherever it is equal: both ways round where its type has no direction."""

    site: str
    type_id: int
    source: int
    destination: int
    symmetric: bool

    def holds(self, type_id: int, source: int, destination: int) -> bool:
        if type_id != self.type_id:
            return False
        ends = (source, destination)
        straight = ends == (self.source, self.destination)
        return straight or (self.symmetric and ends == (self.destination, self.source))


@dataclass(frozen=True, slots=True)
class Truth:
    """`skews`: by how many seconds each site's clock is ahead of ours."""

    stations: dict[str, Station]
    skews: dict[str, float]

    def _spans(self, place: Place) -> Iterator[tuple[float, float]]:
        """When at least one equal link stood, as (from, to) in our time."""
        standing: set[int] = set()
        since = 0.0
        for entry in self.stations[place.site].jira.mutations:
            if not place.holds(entry.type_id, entry.source, entry.destination):
                continue
            at = entry.at / 1000 - self.skews[place.site]
            if entry.kind == "created":
                if not standing:
                    since = at
                standing.add(entry.link_id)
            else:
                standing.discard(entry.link_id)
                if not standing:
                    yield since, at
        if standing:
            yield since, float("inf")

    def ever_present(self, place: Place, since: float) -> bool:
        return any(until >= since for _, until in self._spans(place))

    def ever_absent(self, place: Place, since: float) -> bool:
        """Whether it was not there at some moment from *since* until now. Milliseconds are cut
        off in the log, hence the tolerance."""
        return not any(
            start <= since + 0.002 and until == float("inf") for start, until in self._spans(place)
        )

    def made_at(self, site: str, link_id: int) -> float:
        entries = self.stations[site].jira.mutations.select("created", link_id=link_id)
        return entries[0].at / 1000 - self.skews[site] if entries else float("inf")

    def made_by_us(self, site: str, link_id: int) -> bool:
        return bool(self.stations[site].jira.mutations.select("created", ACCOUNT, link_id))

    def removed_by_us(self, site: str, link_id: int) -> bool:
        return bool(self.stations[site].jira.mutations.select("removed", ACCOUNT, link_id))
