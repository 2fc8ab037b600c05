"""Mixed worlds: two sites where people, other tools and a synchroniser all made links.

This is the incident's ground: links on the right that the left lacks are somebody's work. Every
human text carries a canary, so that tests can look for it where it must never be.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from app.sandbox import issues, links
from app.sandbox.clock import Clock, ManualClock, WallClock
from app.sandbox.model import Flavour, Issue, Link, LinkType, User
from app.sandbox.site import JiraSite

CANARY = "canary-7f3a91"
ACCOUNT = "twinlink"
PEOPLE = ("ann", "bob", "carla")
TOOL = "importer"
ADMIN = "root"
# (left name, outward, inward), (right name, outward, inward); equal texts make a symmetric type.
TYPES = (
    (("Blocks", "blocks", "is blocked by"), ("Blockade", "blockiert", "wird blockiert von")),
    (("Relates", "relates to", "relates to"), ("Beziehung", "bezieht sich auf",
                                               "bezieht sich auf")),
    (("Duplicate", "duplicates", "is duplicated by"), ("Duplikat", "dupliziert",
                                                       "wird dupliziert von")),
)  # fmt: skip
UNMAPPED = ("Tests", "tests", "is tested by")
BUILD_DAYS = 30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. ``foreign_right`` is what the incident's rule would remove."""

    pairs: int = 120
    lonely: int = 10
    outside: int = 10
    both_sides: int = 40
    left_only: int = 25
    foreign_right: int = 137
    hub: int = 20
    epics: int = 3


DEMO = Sizes()


@dataclass(slots=True)
class World:
    """Two sites and what connects them; ``types`` pairs names, ``twins`` pairs keys."""

    left: JiraSite
    right: JiraSite
    twins: list[tuple[str, str]]
    types: list[tuple[str, str]]
    left_project: str = "A"
    right_project: str = "B"
    tokens: dict[str, str] = field(default_factory=dict)
    twin_fields: dict[str, str] = field(default_factory=dict)

    def copy(self) -> World:
        """The same world once more: what happens there stays there."""
        return World(
            self.left.copy(),
            self.right.copy(),
            list(self.twins),
            list(self.types),
            self.left_project,
            self.right_project,
            dict(self.tokens),
            dict(self.twin_fields),
        )

    def lacking(self) -> list[Link]:
        """Links on the right, on a twinned issue, that the left lacks: what must survive."""
        twins = {self.right.issue(right).id: self.left.issue(left).id for left, right in self.twins}
        types = {
            self.right.link_type(right).id: self.left.link_type(left).id
            for left, right in self.types
        }
        return [
            link
            for link in self.right.links.values()
            if not self.right.types[link.type_id].system
            and (link.source in twins or link.destination in twins)
            and not self._on_left(link, twins, types)
        ]

    def _on_left(self, link: Link, twins: dict[int, int], types: dict[int, int]) -> bool:
        type_id = types.get(link.type_id)
        source, destination = twins.get(link.source), twins.get(link.destination)
        if type_id is None or source is None or destination is None:
            return False
        if (type_id, source, destination) in self.left.triples:
            return True
        symmetric = self.left.types[type_id].symmetric
        return symmetric and (type_id, destination, source) in self.left.triples

    def incident_rule(self, actor: str = ACCOUNT) -> int:
        """The incident's mistake, for a copy of the world: remove what the source lacks."""
        doomed = self.lacking()
        for link in doomed:
            links.remove(self.right, self.right.user(actor), link, cause="incident rule")
        return len(doomed)


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
    past = ManualClock(clock.now() - BUILD_DAYS * 86400)
    dice = random.Random(f"world/{seed}")  # noqa: S311 - seeded on purpose
    builder = _Builder(left, right, sizes, dice, past)
    for site in (left, right):
        site.use_clock(past)
    world = builder.build()
    for site in (left, right):
        site.use_clock(clock)
    return world


def demo(**options: object) -> World:
    """The world of ``twinlink up --demo``: 137 links that the incident's rule would remove."""
    return build(DEMO, **options)  # type: ignore[arg-type]


class _Builder:
    def __init__(
        self,
        left: JiraSite,
        right: JiraSite,
        sizes: Sizes,
        randomness: random.Random,
        clock: ManualClock,
    ) -> None:
        self.left, self.right, self.sizes = left, right, sizes
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
        self._issues(fields["left"])
        self._links()
        return World(
            self.left,
            self.right,
            [(left.key, right.key) for left, right in self.pairs],
            [(left[0], right[0]) for left, right in TYPES],
            tokens={"left": self.left.add_token(ACCOUNT), "right": self.right.add_token(ACCOUNT)},
            twin_fields=fields,
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
        sizes = self.sizes
        for number in range(sizes.pairs):
            left, right = self._issue(self.left, "A", number), self._issue(self.right, "B", number)
            left.custom[twin_field] = right.key
            self.pairs.append((left, right))
        for number in range(sizes.lonely):
            self._issue(self.left, "A", number)
            self._issue(self.right, "B", number)
        for number in range(sizes.outside):
            self._issue(self.left, "O", number)
            self._issue(self.right, "P", number)

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
        """Between twins, to issues outside the scope, and of a type that nobody maps."""
        (a, b), (c, d) = self._two()
        dice = self.random.random()
        if hub is not None:
            b = hub
        elif dice < 0.2:
            outside = self.right.projects[self.right.project_keys["P"]]
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
        """Already linked somehow on either side: then counting would be a matter of opinion."""
        return bool(a.links.keys() & c.links.keys()) or bool(b.links.keys() & d.links.keys())

    def _make(self, site: JiraSite, type_: LinkType, source: Issue, destination: Issue) -> None:
        actor: User = site.user(self.random.choice((*PEOPLE, TOOL)))
        links.create(site, actor, type_, source, destination, cause="world")
        self.clock.tick(self.step)
