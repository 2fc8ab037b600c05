"""Two sites in which most links are none of our business, and people at work on the others."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.sandbox import JiraSite, Link
from app.sandbox.people import person_on
from tests.support.twinsites import PERSON, PROJECTS, Triple, TwinSites, on_air

OTHER = "bob"
"""Who makes what is never to be touched."""
UNMAPPED = "Tests"
UNTWINNED = 20
"""Issues on each side, at the end of the numbers, that have no twin."""
KEPT = 40
"""Unmanaged links of each kind on each site."""
RETRIES_SCALE = 0.02
"""Jira's 5 to 15 minutes between tries are 6 to 18 s here; it gives up after 36 s of failures,
which is longer than any outage of a soak."""

Standing = dict[int, tuple[int, int, int]]
"""Type, source and destination by link id."""


@asynccontextmanager
async def town(twins: int, *, seed: int) -> AsyncIterator[TwinSites]:
    """On the air, with unmanaged links of every kind: of a type that no connection maps, equal on
    both sides before anybody looked, and between issues without twins."""
    async with on_air(twins + UNTWINNED) as sites:
        dice = random.Random(seed)
        both = [served.site for served in sites.both]
        for site in both:
            site.add_user(OTHER)
            site.add_link_type(UNMAPPED, "tests", "is tested by")
        _links(both, UNMAPPED, range(1, twins + 1), dice)
        _links(both, "Blocks", range(twins + 1, sites.pairs + 1), dice)
        _links(both, "Relates", range(1, twins + 1), dice)
        yield sites


def _links(both: list[JiraSite], kind: str, numbers: range, dice: random.Random) -> None:
    """The same on both sites."""
    wishes: set[frozenset[int]] = set()
    while len(wishes) < KEPT:
        wishes.add(frozenset(dice.sample(numbers, 2)))
    for source, destination in (sorted(ends) for ends in sorted(wishes, key=sorted)):
        for site, project in zip(both, PROJECTS, strict=True):
            person_on(site, OTHER).link(f"{project}-{source}", kind, f"{project}-{destination}")


def unmanaged(site: JiraSite) -> Standing:
    """The links that stand, of those that somebody else than people and we made."""
    made = {it.link_id for it in site.mutations.select("created", OTHER)}
    return {
        link.id: (link.type_id, link.source, link.destination)
        for link in site.links.values()
        if link.id in made
    }


@dataclass(slots=True)
class People:
    """They link and unlink twins on both sides, each link on one side only, and now and then
    remove an unmanaged one, whose counterpart then has to stay."""

    sites: TwinSites
    twins: int
    seed: int
    acts: int = 0
    removed: set[tuple[str, int]] = field(default_factory=set)
    """Unmanaged links that people removed: site and id."""
    _made: tuple[list[Link], list[Link]] = field(default_factory=lambda: ([], []))
    _undone: list[int] = field(default_factory=lambda: [0, 0])
    _taken: set[tuple[str, frozenset[int]]] = field(default_factory=set)
    _dice: random.Random = field(init=False)

    MOST_REMOVED = 150
    """On each site. No configuration lets more than 200 mirrors of a site go within an hour."""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        left = self.sites.left.site
        for type_id, *ends in unmanaged(left).values():
            numbers = (int(left.issues[end].key.partition("-")[2]) for end in ends)
            self._taken.add((left.types[type_id].name, frozenset(numbers)))

    async def act(self, times: int) -> None:
        """Yields after every few acts, so that everything else goes on meanwhile."""
        for _ in range(times):
            side = self._dice.randrange(2)
            chance = self._dice.random()
            if chance < 0.01:
                self._remove_unmanaged(side)
            elif chance < 0.12 and self._made[side] and self._undone[side] < self.MOST_REMOVED:
                self._undo(side)
            else:
                self._made[side].append(self.sites.link(side, self._wish()))
            self.acts += 1
            if self.acts % 5 == 0:
                await asyncio.sleep(self._dice.uniform(0.0, 0.1))

    def _wish(self) -> Triple:
        while True:
            kind = self._dice.choice(("Blocks", "Relates"))
            one, other = self._dice.sample(range(1, self.twins + 1), 2)
            if (kind, frozenset((one, other))) not in self._taken:
                self._taken.add((kind, frozenset((one, other))))
                return kind, one, other

    def _undo(self, side: int) -> None:
        made = self._made[side]
        self.sites.people(side).unlink(made.pop(self._dice.randrange(len(made))))
        self._undone[side] += 1

    def _remove_unmanaged(self, side: int) -> None:
        site = self.sites.both[side].site
        link = self._dice.choice(sorted(unmanaged(site)))
        person_on(site, PERSON).unlink(site.links[link])
        self.removed.add((site.name, link))
