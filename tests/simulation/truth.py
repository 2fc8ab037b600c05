"""What really stood on the sites, and when, by their own logs: the measure of every conclusion."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from app.sandbox.logbook import MutationKind
from tests.support.engine import OUR_ACCOUNTS, Station

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

    def _spans(self, place: Place, *, but: Container[str] = ()) -> Iterator[tuple[float, float]]:
        """When at least one equal link stood, as (from, to) in our time; those of some makers
        left out."""
        standing: set[int] = set()
        since = 0.0
        for entry in self.stations[place.site].jira.mutations:
            if not place.holds(entry.type_id, entry.source, entry.destination):
                continue
            at = entry.at / 1000 - self.skews[place.site]
            if entry.kind == "created" and entry.actor not in but:
                if not standing:
                    since = at
                standing.add(entry.link_id)
            elif entry.kind == "removed" and entry.link_id in standing:
                standing.discard(entry.link_id)
                if not standing:
                    yield since, at
        if standing:
            yield since, float("inf")

    def ever_present(self, place: Place, since: float) -> bool:
        return any(until >= since for _, until in self._spans(place))

    def ever_theirs(self, place: Place, since: float) -> bool:
        """Whether a link that others made stood there since."""
        return any(until >= since for _, until in self._spans(place, but=OUR_ACCOUNTS))

    def ever_absent(self, place: Place, since: float) -> bool:
        """Whether it was not there at some moment from *since* until now. Milliseconds are cut
        off in the log, hence the tolerance."""
        return not any(
            start <= since + 0.002 and until == float("inf") for start, until in self._spans(place)
        )

    def made_at(self, site: str, link_id: int) -> float:
        """When it was made that has this id now: a site that went back gives ids out again."""
        entries = self.stations[site].jira.mutations.select("created", link_id=link_id)
        mine = [it.at for it in entries if it.actor == entries[-1].actor]
        return mine[0] / 1000 - self.skews[site] if mine else float("inf")

    def is_ours(self, site: str, link_id: int) -> bool:
        """Whether the link that has this id now is one that we made."""
        entries = self.stations[site].jira.mutations.select("created", link_id=link_id)
        return bool(entries) and entries[-1].actor in OUR_ACCOUNTS

    def ever_made_by_us(self, site: str, link_id: int) -> bool:
        return self._ever("created", site, link_id)

    def times_made_by_us(self, site: str, link_id: int) -> int:
        entries = self.stations[site].jira.mutations.select("created", link_id=link_id)
        return sum(it.actor in OUR_ACCOUNTS for it in entries)

    def removed_by_us(self, site: str, link_id: int) -> bool:
        return self._ever("removed", site, link_id)

    def _ever(self, kind: MutationKind, site: str, link_id: int) -> bool:
        entries = self.stations[site].jira.mutations.select(kind, link_id=link_id)
        return any(it.actor in OUR_ACCOUNTS for it in entries)
