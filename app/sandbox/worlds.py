"""Building mixed worlds: who made which links, over the thirty days before now."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.sandbox import issues, links
from app.sandbox.clock import Clock, ManualClock, WallClock
from app.sandbox.model import Flavour, Issue, LinkType, User
from app.sandbox.site import JiraSite
from app.sandbox.world import (
    ACCOUNT,
    ADMIN,
    CANARY,
    DEMO,
    PEOPLE,
    TOOL,
    TYPES,
    UNMAPPED,
    USUAL,
    Places,
    Sizes,
    World,
)

__all__ = [
    "ACCOUNT",
    "ADMIN",
    "CANARY",
    "DEMO",
    "PEOPLE",
    "TOOL",
    "TYPES",
    "UNMAPPED",
    "USUAL",
    "Places",
    "Sizes",
    "World",
    "build",
    "build_beside",
    "demo",
]

BUILD_DAYS = 30


def build(
    sizes: Sizes = DEMO,
    *,
    seed: int = 0,
    right_flavour: Flavour = "cloud",
    clock: Clock | None = None,
    public_urls: tuple[str | None, str | None] = (None, None),
) -> World:
    """Build a world, its history spread over the thirty days before now."""
    clock = clock or WallClock()
    left = JiraSite("left", "cloud", seed=seed, clock=clock, public_url=public_urls[0])
    right = JiraSite(
        "right", right_flavour, seed=seed, clock=clock, public_url=public_urls[1], first_id=20300
    )
    past = _past(clock)
    builder = _Builder(left, right, sizes, _dice(seed), past)
    with _at(past, left, right):
        return builder.build()


def build_beside(world: World, places: Places, sizes: Sizes, *, seed: int = 0) -> World:
    """Another world on the same sites, in new projects: what a second connection would join."""
    past = _past(world.left.clock)
    builder = _Builder(world.left, world.right, sizes, _dice(seed), past, places)
    with _at(past, world.left, world.right):
        return builder.build_beside(world)


def _past(clock: Clock) -> ManualClock:
    return ManualClock(clock.now() - BUILD_DAYS * 86400)


def _dice(seed: int) -> random.Random:
    return random.Random(f"world/{seed}")  # noqa: S311 - seeded on purpose


@contextmanager
def _at(past: Clock, *sites: JiraSite) -> Iterator[None]:
    """Meanwhile their clocks are set to the past."""
    clocks = [site.clock for site in sites]
    for site in sites:
        site.use_clock(past)
    try:
        yield
    finally:
        for site, clock in zip(sites, clocks, strict=True):
            site.use_clock(clock)


def demo(**options: object) -> World:
    """The world of `twinlink up --demo`: 137 links that the incident's rule would remove."""
    return build(DEMO, **options)  # type: ignore[arg-type]


class _Builder:
    def __init__(
        self,
        left: JiraSite,
        right: JiraSite,
        sizes: Sizes,
        randomness: random.Random,
        clock: ManualClock,
        places: Places = USUAL,
    ) -> None:
        self.left, self.right, self.sizes, self.places = left, right, sizes, places
        self.random = randomness
        self.clock = clock
        self.step = BUILD_DAYS * 80000 / max(1, 3 * sizes.pairs + 2 * sizes.foreign_right + 500)
        self.pairs: list[tuple[Issue, Issue]] = []

    def build(self) -> World:
        for site, side in ((self.left, 0), (self.right, 1)):
            self._site(site, side)
        fields = {
            "left": self.left.add_custom_field("Twin").id,
            "right": self.right.add_custom_field("Twin key").id,
        }
        tokens = {"left": self.left.add_token(ACCOUNT), "right": self.right.add_token(ACCOUNT)}
        return self._peopled(tokens, fields)

    def build_beside(self, world: World) -> World:
        for key in (self.places.left, self.places.left_outside):
            self.left.add_project(key)
        for key in (self.places.right, self.places.right_outside):
            self.right.add_project(key)
        return self._peopled(world.tokens, world.twin_fields)

    def _peopled(self, tokens: dict[str, str], fields: dict[str, str]) -> World:
        self._issues(fields["left"])
        self._links()
        return World(
            self.left,
            self.right,
            [(left.key, right.key) for left, right in self.pairs],
            [(left[0], right[0]) for left, right in TYPES],
            self.places.left,
            self.places.right,
            dict(tokens),
            dict(fields),
        )

    def _site(self, site: JiraSite, side: int) -> None:
        site.add_user(ADMIN, f"Root {CANARY}", admin=True)
        # Half an hour off and no UTC: JQL dates are read in the caller's own time zone.
        zone = "Asia/Kolkata" if side else "Etc/UTC"
        site.add_user(ACCOUNT, "Twinlink", time_zone=zone)
        for name in (*PEOPLE, TOOL):
            site.add_user(name, f"{name.title()} {CANARY}", email=f"{name}.{CANARY}@example.org")
        site.add_token(ADMIN)
        for key in ("AX", "A", "O") if side == 0 else ("B", "P"):
            site.add_project(key)
        for pair in TYPES if side == 0 else reversed(TYPES):
            name, outward, inward = pair[side]
            site.add_link_type(name, outward, None if inward == outward else inward)
        site.add_link_type(*UNMAPPED)
        site.add_link_type("Epic-Story Link", "has Epic", "is Epic of", system=True)

    def _issues(self, twin_field: str) -> None:
        sizes, at = self.sizes, self.places
        for number in range(sizes.pairs):
            left = self._issue(self.left, at.left, number)
            right = self._issue(self.right, at.right, number)
            left.custom[twin_field] = right.key
            self.pairs.append((left, right))
        for number in range(sizes.lonely):
            self._issue(self.left, at.left, number)
            self._issue(self.right, at.right, number)
        for number in range(sizes.outside):
            self._issue(self.left, at.left_outside, number)
            self._issue(self.right, at.right_outside, number)

    def _issue(self, site: JiraSite, project: str, number: int) -> Issue:
        found = site.projects[site.project_keys[project]]
        actor = site.user(PEOPLE[number % len(PEOPLE)])
        text = f"{CANARY} {project} {number}"
        made = issues.create(
            site, actor, found, f"Summary {text}", description=f"Description {text}"
        )
        if number % 5 == 0:
            issues.comment(site, actor, made, f"Comment {text}")
        self.clock.tick(self.step)
        return made

    def _links(self) -> None:
        self._until(self.sizes.both_sides, self._on_both)
        self._until(self.sizes.left_only, self._on_left)
        for story in range(min(self.sizes.epics, len(self.pairs) - 1)):
            type_ = self.right.link_type("Epic-Story Link")
            epic = self.pairs[0][1]
            links.create(self.right, self.right.user("ann"), type_, epic, self.pairs[story + 1][1])
        hub = self.pairs[len(self.pairs) // 2][1]
        made = [0]

        def on_right() -> bool:
            around = hub if made[0] < self.sizes.hub else None
            added = self._on_right(around)
            made[0] += added
            return added

        self._until(self.sizes.foreign_right, on_right)

    def _until(self, wanted: int, make: Callable[[], bool]) -> None:
        """Repeat until that many links are made; ValueError when the world has no room."""
        tries = 0
        while wanted:
            wanted -= make()
            tries += 1
            if tries > 100_000:
                raise ValueError("the world is too small for that many links")

    def _on_both(self) -> bool:
        """Made by people on both sides, long ago; symmetric ones may lie the other way round."""
        (a, b), (c, d) = self._two()
        number = self.random.randrange(len(TYPES))
        left, right = self._type(self.left, 0, number), self._type(self.right, 1, number)
        if self._known(a, c, b, d):
            return False
        self._make(self.left, left, a, c)
        if left.symmetric and self.random.random() < 0.5:
            b, d = d, b
        self._make(self.right, right, b, d)
        return True

    def _on_left(self) -> bool:
        (a, b), (c, d) = self._two()
        if self._known(a, c, b, d):
            return False
        self._make(self.left, self._type(self.left, 0, self.random.randrange(len(TYPES))), a, c)
        return True

    def _on_right(self, hub: Issue | None) -> bool:
        """Between twins, to issues outside the scope, and of a type without a mapping."""
        (a, b), (c, d) = self._two()
        dice = self.random.random()
        if hub is not None:
            b = hub
        elif dice < 0.2:
            key = self.places.right_outside
            outside = self.right.projects[self.right.project_keys[key]]
            b = self.right.issues[self.random.choice(list(outside.issues))]
        if b.id == d.id or self._known(a, c, b, d):
            return False
        unmapped = 0.2 <= dice < 0.3
        type_ = (
            self.right.link_type(UNMAPPED[0])
            if unmapped
            else self._type(self.right, 1, self.random.randrange(len(TYPES)))
        )
        self._make(self.right, type_, b, d)
        return True

    def _two(self) -> tuple[tuple[Issue, Issue], tuple[Issue, Issue]]:
        first, second = self.random.sample(self.pairs, 2)
        return first, second

    def _type(self, site: JiraSite, side: int, number: int) -> LinkType:
        return site.link_type(TYPES[number][side][0])

    def _known(self, a: Issue, c: Issue, b: Issue, d: Issue) -> bool:
        """Whether they are linked already on either side: then it is not clear what to count."""
        return bool(a.links.keys() & c.links.keys()) or bool(b.links.keys() & d.links.keys())

    def _make(self, site: JiraSite, type_: LinkType, source: Issue, destination: Issue) -> None:
        actor: User = site.user(self.random.choice((*PEOPLE, TOOL)))
        links.create(site, actor, type_, source, destination, cause="world")
        self.clock.tick(self.step)
