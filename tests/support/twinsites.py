"""Two sandbox sites with as many twins as asked for: A-1 and B-1, A-2 and B-2, and so on."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.sandbox import Flavour, JiraSite, Link, ManualClock, Person, Served, listen, serve
from app.sandbox.logbook import Mutation
from app.sandbox.people import person_on

ACCOUNT = "twinlink"
PERSON = "ann"
SECRET = "secret of the sites"
TYPES = ("Blocks", "Relates")
PROJECTS = ("A", "B")
LONG_AGO = 30 * 86_400.0
"""Seconds. Issues that are older than any poll looks back."""

Triple = tuple[str, int, int]
"""Type, and the numbers of both issues' keys: equal for a link and its mirror."""


def build(pairs: int, *, right: Flavour = "cloud") -> tuple[JiraSite, JiraSite]:
    """Issues without text, and the types `Blocks` and `Relates`, which has no direction."""
    return _site("left", "cloud", "A", pairs, 10_000), _site("right", right, "B", pairs, 500_000)


def _site(name: str, flavour: Flavour, project: str, issues: int, first_id: int) -> JiraSite:
    site = JiraSite(name, flavour, first_id=first_id)
    site.add_user(PERSON)
    site.add_user(ACCOUNT)
    site.add_project(project)
    site.add_link_type("Blocks", "blocks", "is blocked by")
    site.add_link_type("Relates", "relates to")
    clock = site.clock
    site.use_clock(ManualClock(clock.now() - LONG_AGO))
    person = person_on(site, PERSON)
    for _ in range(issues):
        person.create(project, "")
    site.use_clock(clock)
    return site


@dataclass(frozen=True, slots=True)
class TwinSites:
    """Both sites, served."""

    left: Served
    right: Served
    pairs: int

    @property
    def both(self) -> tuple[Served, Served]:
        return self.left, self.right

    @property
    def keys(self) -> list[tuple[str, str]]:
        return [(f"A-{number}", f"B-{number}") for number in range(1, self.pairs + 1)]

    def people(self, side: int = 0) -> Person:
        return person_on(self.both[side].site, PERSON)

    def link(self, side: int, triple: Triple) -> Link:
        kind, source, destination = triple
        project = PROJECTS[side]
        return self.people(side).link(f"{project}-{source}", kind, f"{project}-{destination}")

    def listen(self, api: str) -> None:
        """Make both send their events to this service. They repeat one that was not answered after
        seconds: Jira's 5 to 15 minutes are a hundred times shorter here."""
        for served in self.both:
            served.site.outbox.scale = 0.01
            listen(served.site, f"{api}/webhooks/jira/{served.site.name}", SECRET)

    def latency(self, seconds: float) -> None:
        for served in self.both:
            served.site.latency = seconds

    @property
    def idle(self) -> bool:
        """Every delivery has arrived."""
        return all(served.site.outbox.idle for served in self.both)

    @property
    def delivered(self) -> int:
        return sum(served.site.outbox.delivered for served in self.both)

    @property
    def written(self) -> int:
        """How often any link was made or removed."""
        return sum(len(served.site.mutations) for served in self.both)

    def at_rest_since(self, written: int) -> bool:
        return self.idle and self.written == written

    @property
    def calls(self) -> int:
        """How many calls our account made."""
        return sum(served.site.requests.count(account=ACCOUNT) for served in self.both)


@asynccontextmanager
async def on_air(pairs: int, *, right: Flavour = "cloud") -> AsyncIterator[TwinSites]:
    async with serve(*build(pairs, right=right)) as (one, other):
        yield TwinSites(one, other, pairs)


def triple(site: JiraSite, it: Link | Mutation) -> Triple:
    """Ends in key order where the type has no direction."""
    kind = site.types[it.type_id]
    ends = [int(site.issues[end].key.partition("-")[2]) for end in (it.source, it.destination)]
    first, second = sorted(ends) if kind.symmetric else ends
    return kind.name, first, second


def standing(site: JiraSite, *makers: str) -> Counter[Triple]:
    """The links that one of *makers* made and that still exist."""
    made = {it.link_id for it in site.mutations if it.kind == "created" and it.actor in makers}
    return counted(site, (link for link in site.links.values() if link.id in made))


def counted(site: JiraSite, links: Iterable[Link]) -> Counter[Triple]:
    return Counter(triple(site, link) for link in links)
