"""Issue links as values: ids, ends, direction, and what makes two links equal.

Direction follows what Jira does, not what its reference says: the *source* of a link is the
issue that the REST call names `inwardIssue`, the *destination* is its `outwardIssue`, and
`source OUTWARD-WORDING destination` reads as a sentence ("A-1 blocks A-2").
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, TypeVar

IssueId = NewType("IssueId", str)
"""Decimal text, as REST gives it. Stable across moves."""
IssueKey = NewType("IssueKey", str)
LinkId = NewType("LinkId", str)
TypeId = NewType("TypeId", str)
AccountId = NewType("AccountId", str)
"""`accountId` on Cloud, the user `key` on Data Center."""
ProjectKey = NewType("ProjectKey", str)
ProjectId = NewType("ProjectId", str)


T = TypeVar("T")


class Side(StrEnum):
    """One of the two sites of a connection. Only this type distinguishes left from right."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> "Side":
        return Side.RIGHT if self is Side.LEFT else Side.LEFT

    def order(self, here: T, there: T) -> tuple[T, T]:
        """What belongs to this side and to the other one, as (left, right)."""
        return (here, there) if self is Side.LEFT else (there, here)

    def pick(self, left: T, right: T) -> T:
        """The one of two values that belongs to this side."""
        return left if self is Side.LEFT else right


@dataclass(frozen=True, slots=True, order=True)
class IssueRef:
    """An issue by the id that never changes and the key that it had when we looked."""

    id: IssueId
    key: IssueKey


@dataclass(frozen=True, slots=True)
class LinkType:
    """A link type of one site. Ids and wordings differ from site to site."""

    id: TypeId
    name: str
    inward: str
    outward: str
    former: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Inward and outward wordings that it had before it was renamed: changelogs keep them."""
    former_names: tuple[str, ...] = field(default=(), compare=False)
    """Names that it had before, for people and configurations that know it by one of them."""

    @property
    def inwards(self) -> frozenset[str]:
        """Every inward wording that an entry may have, case-folded."""
        return frozenset(it.casefold() for it in (self.inward, *(was for was, _ in self.former)))

    @property
    def outwards(self) -> frozenset[str]:
        """Likewise outward."""
        return frozenset(it.casefold() for it in (self.outward, *(was for _, was in self.former)))

    @property
    def symmetric(self) -> bool:
        """Both ends read the same ("relates to"), so direction carries no meaning."""
        return self.inward.casefold() == self.outward.casefold()


@dataclass(frozen=True, slots=True, order=True)
class Ends:
    """Source and destination issue ids. `canonical` orders them where direction is mute."""

    source: IssueId
    destination: IssueId

    def canonical(self, *, symmetric: bool) -> "Ends":
        """In the order that equal links share: for a symmetric type the lower issue id first."""
        if symmetric and id_order(self.destination) < id_order(self.source):
            return self.flipped()
        return self

    def flipped(self) -> "Ends":
        return Ends(self.destination, self.source)

    def touches(self, issue: IssueId) -> bool:
        return issue in (self.source, self.destination)


@dataclass(frozen=True, slots=True)
class Link:
    """A link as one site shows it."""

    id: LinkId
    type_id: TypeId
    source: IssueRef
    destination: IssueRef

    @property
    def ends(self) -> Ends:
        return Ends(self.source.id, self.destination.id)

    def equals(self, type_id: TypeId, ends: Ends, *, symmetric: bool) -> bool:
        """Same type, source and destination; for a symmetric type direction does not count."""
        if self.type_id != type_id:
            return False
        return self.ends.canonical(symmetric=symmetric) == ends.canonical(symmetric=symmetric)


@dataclass(frozen=True, slots=True, order=True)
class PhysicalKey:
    """One physical link of one site, whatever connection looks at it.

    Symmetric ends are ordered, so the key of "A relates to B" is that of "B relates to A".
    """

    site: int
    type_id: TypeId
    source: IssueId
    destination: IssueId


def project_of(key: IssueKey | str) -> ProjectKey:
    """The project of an issue key: all before the number."""
    return ProjectKey(key.rpartition("-")[0])


def physical_key(site: int, link_type: LinkType, ends: Ends) -> PhysicalKey:
    """The key that no two open intents, and no two managed rows, have in common."""
    ordered = ends.canonical(symmetric=link_type.symmetric)
    return PhysicalKey(site, link_type.id, ordered.source, ordered.destination)


def equal_links(links: Iterable[Link], link_type: LinkType, ends: Ends) -> list[Link]:
    """Every link among *links* that equals (type, ends). More than one is possible:
    Jira keeps "A relates to B" and "B relates to A" as two links."""
    symmetric = link_type.symmetric
    return [link for link in links if link.equals(link_type.id, ends, symmetric=symmetric)]


def id_order(number: str) -> tuple[int, str]:
    """Sorts decimal text by its value."""
    return (len(number), number)
