"""People at work on both sites at once."""

import asyncio
import random

from app.sandbox import DeliveryFault, Link
from tests.support.twinsites import Triple, TwinSites


class Crowd:
    """People who link and unlink on both sides, each link on one side only."""

    def __init__(self, sites: TwinSites, *, links: int, removed: int, seed: int = 7) -> None:
        """*links* are made in all, *removed* of them removed again on each site."""
        self._sites = sites
        self._links = links
        self._dice = random.Random(seed)
        self._made: tuple[list[Link], list[Link]] = ([], [])
        self._left = [removed, removed]

    async def act(self) -> None:
        """Yields after every few acts, so that other tasks run meanwhile."""
        for number, (side, triple) in enumerate(self._wishes()):
            self._made[side].append(self._sites.link(side, triple))
            if self._left[side] and self._dice.random() < 0.3:
                self._undo(side)
            if number % 10 == 0:
                await asyncio.sleep(0.02)
        for side in (0, 1):
            while self._left[side]:
                self._undo(side)

    def _undo(self, side: int) -> None:
        made = self._made[side]
        link = made.pop(self._dice.randrange(len(made)))
        self._sites.people(side).unlink(link)
        self._left[side] -= 1

    def _wishes(self) -> list[tuple[int, Triple]]:
        wishes: dict[tuple[str, frozenset[int]], tuple[int, Triple]] = {}
        while len(wishes) < self._links:
            kind = self._dice.choice(("Blocks", "Relates"))
            one, other = self._dice.sample(range(1, self._sites.pairs + 1), 2)
            key = kind, frozenset((one, other))
            wishes.setdefault(key, (self._dice.randrange(2), (kind, one, other)))
        return list(wishes.values())


def disturb(sites: TwinSites, *, duplicates: float = 0.2, seconds: float = 3.0) -> None:
    """From now on deliveries come in any order, and some of them twice."""
    for served in sites.both:
        served.site.outbox.faults += [
            DeliveryFault("duplicate", probability=duplicates),
            DeliveryFault("duplicate", probability=duplicates / 4, fresh_identifier=True),
            DeliveryFault("shuffle", seconds=seconds / served.site.outbox.scale),
        ]
