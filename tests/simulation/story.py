"""One story: a seed's world, what happens in it, and whether all promises held."""

import random as chance
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import ClassVar

from tests.simulation import scenes
from tests.simulation.acts_history import History
from tests.simulation.acts_odd import Oddities
from tests.simulation.acts_owners import Owners
from tests.simulation.acts_people import People
from tests.simulation.closing import Closing
from tests.simulation.gated_database import Wires
from tests.simulation.ground import Ground
from tests.simulation.house import House, own_hands
from tests.simulation.process import HERE, Process, follow
from tests.simulation.scheduler import Scheduler
from tests.simulation.service import Service
from tests.simulation.truth import Truth
from tests.simulation.virtual import VirtualLoop
from tests.simulation.watch import Watch


class Broken(AssertionError):
    """A promise did not hold."""


@dataclass(frozen=True, slots=True)
class Ending:
    """`broken` says which promise, None where all held. `digest` is equal for equal stories."""

    seed: int
    digest: str
    broken: str | None
    lines: list[tuple[float, str]] = field(repr=False, default_factory=list)
    steps: int = 0


class Story:
    """Built by `tell`."""

    def __init__(self, seed: int, loop: VirtualLoop, wires: Wires) -> None:
        chance.seed(seed)
        self.seed = seed
        self.loop = loop
        self.wires = wires
        loop.begin()
        follow(loop)
        self.scheduler = Scheduler(loop, wires.observer, seed)
        self.random = Random(f"{seed}/acts")
        self.people = Process("people", self.scheduler)
        self.scheduler.people = self.people
        Story.telling = self

    telling: ClassVar["Story | None"] = None

    @classmethod
    def bug(cls, event: str, error: BaseException | None) -> None:
        """The service came upon an error that it did not expect, and went on."""
        if cls.telling is not None:
            trace = "".join(traceback.format_exception(error)[-6:]) if error else ""
            cls.telling.scheduler.alarm(f"a bug: {event}\n{trace}")

    async def tell(self, most_acts: int | None = None) -> Ending:
        """To its end, or to the first promise that breaks."""
        broken = None
        own, database = own_hands(self.scheduler, self.wires)
        try:
            ground = Ground.drawn(database, self.loop, Random(f"{self.seed}/ground"))
            await self._live(ground, most_acts)
        except AssertionError as error:
            broken = _told(error)
        except Exception:
            broken = traceback.format_exc(limit=-6)
        broken = self.scheduler.broken or broken
        with suppress(Exception):
            await self._end(own)
        trace = self.scheduler.trace
        return Ending(self.seed, trace.digest, broken, trace.lines, self.scheduler.passed)

    async def _live(self, ground: Ground, most_acts: int | None) -> None:
        await ground.build(self.loop)
        truth = Truth(ground.world.stations, ground.skews)
        watch = Watch(ground.world, truth, Random(f"{self.seed}/watch"), self.scheduler.alarm)
        self.house = house = House(self.scheduler, self.wires, ground.world, watch)
        self.service = service = Service(house, ground, self.random)
        self.closing = closing = Closing(ground, service, watch, house.worker("hands"))
        people = People(ground, self.random, service.mail_comes)
        history = History(ground, self.random)
        odd = Oddities(ground, self.random)
        acts = _acts(people, Owners(service, ground, self.random), history, service)
        acts += _odd_acts(odd, quiet=ground.quiet_mail)
        if self.random.random() < 0.7:
            await closing.settle(20)
        count = self.random.choice((15, 25, 40, 60))
        for _ in range(count if most_acts is None else min(count, most_acts)):
            await self._turn()
            if self.random.random() < 0.04:
                self.scheduler.trace.note("--- the dust settles")
                await closing.settle(15)
                continue
            names, weights = zip(*((act, weight) for act, weight in acts), strict=True)
            done = self.random.choices(names, weights)[0]()
            told = done if isinstance(done, str) else await done
            if told:
                self.scheduler.trace.note(f"--- {told}")
        if self.random.random() < 0.7:
            # Nobody will look at this again unless it is told.
            if self.random.random() < 0.5:
                told = f"{people.acts_between_requests()}; {await service.all_look()}"
            else:
                told = f"{people.news_while_we_look()}; {await service.one_looks()}"
            self.scheduler.trace.note(f"--- {told}")
        self.scheduler.trace.note("--- the end: everything heals")
        await closing.check()
        await self._turn()

    async def _turn(self) -> None:
        await self.scheduler.gate(self.people, "")
        if self.scheduler.broken is not None:
            raise Broken(self.scheduler.broken)

    async def _end(self, own: Process) -> None:
        """Nothing of this story may reach the next."""
        if hasattr(self, "closing"):
            for worker in [*self.service.workers, self.service.api, self.closing.hands]:
                await self.house.kill(worker)
        own.dead = True
        HERE.set(None)


def _told(error: AssertionError) -> str:
    """With the lines that led to it, where it is not the watch that speaks."""
    if isinstance(error, Broken):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{error} at {' < '.join(f'{it.name}:{it.lineno}' for it in reversed(frames))}"


Act = Callable[[], str | Awaitable[str]]


def _odd_acts(odd: Oddities, *, quiet: bool) -> list[tuple[Act, float]]:
    """Rare, so that stories stay alive. What hides something is for stories that bear it."""
    acts: list[tuple[Act, float]] = [(odd.words_it_otherwise, 0.5), (odd.unlocks, 2)]
    if not quiet:
        acts += [
            (odd.same_link_twice, 1),
            (odd.changelogs_come_empty, 1),
            (odd.wants_a_captcha, 0.7),
            (odd.index_lags, 0.7),
            (odd.signs_nothing, 0.7),
        ]
    return acts


def _acts(
    people: People, owners: Owners, history: History, service: Service
) -> list[tuple[Act, float]]:
    """Weights of what happens. Without mail that is lost nothing is hidden either."""

    async def wave() -> str:
        """What the guard's count has to stand: several remove at once."""
        return f"{people.unlinks_many()}; {await service.all_look()}"

    async def back() -> str:
        """Asked for, planned, decided and carried out, without a step in between."""
        asked = owners.wants_links_back()
        await service.finish()
        await service.restores()
        decided = owners.decides_a_plan()
        await service.finish()
        return f"{asked}; {decided}; {await service.restores()}"

    async def waves() -> str:
        """A script removes origins, and whatever is held an approver rejects."""
        told = []
        for _ in range(3):
            told += [people.unlinks_many(), await service.all_looks_until_sealed()]
            told.append(owners.rejects_a_plan())
            await service.finish()
        return "; ".join(told)

    async def night() -> str:
        """A backup, a mirror, the backup restored, the mirror made by hand, its origin removed."""
        told = [history.backs_up(), people.links(), await service.one_looks()]
        await service.finish()
        told.append(await history.goes_back())
        for _ in range(2):
            told += [people.unlinks_many(), await service.one_looks()]
            await service.finish()
        return "; ".join(told)

    async def unknown_caller() -> str:
        """Our sign-in ends right when there is something to look at."""
        return f"{people.sign_in_ends()}; {await service.one_looks()}"

    acts: list[tuple[Act, float]] = [
        (people.links, 8),
        (people.links_anew_and_races, 4),
        (people.makes_the_mirror, 4),
        (people.unlinks, 8),
        (people.unlinks_many, 4),
        (people.makes_anew, 3),
        (people.acts_between_requests, 8),
        (people.mail_goes_wrong, 2),
        (people.requests_go_wrong, 7),
        (service.works, 40),
        (service.all_look, 5),
        (wave, 4),
        (service.mail_comes, 16),
        (service.process_dies, 4),
        (service.process_stops, 3),
        (service.database_breaks, 3),
        (service.time_passes, 6),
        (owners.unpairs, 2),
        (owners.sets_the_mode, 1),
        (owners.pauses, 1),
        (owners.resets_the_guard, 1),
        (owners.compares, 2),
        (owners.decides_a_plan, 4),
        (owners.wants_links_back, 2),
        (back, 3),
        (owners.revises, 1),
        (owners.rolls_back, 0.5),
        (owners.unpairs_many, 1),
        (owners.edits_and_undoes, 2),
        (owners.undoes_the_edit, 1),
        (owners.gives_to_an_heir, 1),
        (waves, 2),
        (partial(scenes.estate, people, owners, service), 2),
        (partial(scenes.rivals, people, owners, service), 2),
        (partial(scenes.rush, people, owners, service), 3),
        (history.makes_lost_mirrors_by_hand, 3),
        (history.reverses_beside_ours, 3),
        (history.changes_the_account, 1),
    ]
    if not people.ground.quiet_mail:
        acts += [
            (unknown_caller, 2),
            (people.hides, 3),
            (people.forbids, 1),
            (people.unveils, 3),
            (people.moves, 2),
            (people.deletes, 1),
            (history.renames_the_project, 1.5),
            (history.backs_up, 2),
            (history.goes_back, 1),
            (night, 2),
            (owners.acknowledges, 3),
        ]
    return acts
