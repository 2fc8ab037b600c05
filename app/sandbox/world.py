"""A mixed world as a value: two sites where people, other tools and a synchroniser all made links.

The incident happened in such a world: links on the right that the left lacks are work of people.
Every human text carries a canary, so that tests can look for it where it must never be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.sandbox import links
from app.sandbox.model import Link
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


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `foreign_right` is what the incident's rule would remove."""

    pairs: int = 120
    lonely: int = 10
    outside: int = 10
    both_sides: int = 40
    left_only: int = 25
    foreign_right: int = 137
    hub: int = 20
    epics: int = 3


DEMO = Sizes()


@dataclass(frozen=True, slots=True)
class Places:
    """Keys of projects: the connected ones, and those outside of the scope."""

    left: str = "A"
    right: str = "B"
    left_outside: str = "O"
    right_outside: str = "P"


USUAL = Places()


@dataclass(slots=True)
class World:
    """Two sites and what connects them; `types` pairs names, `twins` pairs keys."""

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
