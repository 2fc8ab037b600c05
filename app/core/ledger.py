"""What we know of a link from before: the ledger row as a value."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.links import IssueId, LinkId, Side, TypeId


class State(StrEnum):
    """Only `managed` rows may ever lead to a removal."""

    MANAGED = "managed"
    PREEXISTING = "preexisting"
    DETACHED = "detached"
    SUSPENDED = "suspended"
    RELEASED = "released"
    ORPHANED = "orphaned"


class Authorship(StrEnum):
    """Who made the mirror, by the site's own changelog (docs/how-it-decides.md). `adopted`: the
    account that two owners adopted it from."""

    OURS = "ours"
    ADOPTED = "adopted"
    THEIRS = "theirs"
    UNKNOWN = "unknown"

    @property
    def proven(self) -> bool:
        """Ours to remove."""
        return self in (Authorship.OURS, Authorship.ADOPTED)


@dataclass(frozen=True, slots=True, order=True)
class LinkKey:
    """A link of one connection, named by the twins at its ends as the left site orders them.

    For a symmetric type the twin with the lower left issue id comes first.
    """

    left_type: TypeId
    source_twin: int
    destination_twin: int

    @property
    def twins(self) -> tuple[int, int]:
        return (self.source_twin, self.destination_twin)


UNTWINNED = LinkKey(TypeId("0"), 0, 0)
"""The key of a link that is put back although its ends have no twins, or its type is not mapped.
Such a link has no ledger row; no twin has the id 0."""


@dataclass(frozen=True, slots=True)
class Row:
    """One ledger row. Every change counts `version` up, so that a decision about an older one is
    refused."""

    id: int
    key: LinkKey
    right_type: TypeId
    origin: Side
    state: State
    former: State | None
    authorship: Authorship | None
    authored_after: datetime | None
    left_link: LinkId | None
    right_link: LinkId | None
    version: int
    right_source: IssueId | None = None
    """The source on the right as the row was written: it shows whether the map was reversed."""

    def link_on(self, side: Side) -> LinkId | None:
        return side.pick(self.left_link, self.right_link)

    @property
    def mirror(self) -> Side:
        return self.origin.other

    @property
    def mirror_id(self) -> LinkId | None:
        return self.link_on(self.mirror)

    @property
    def made_by_us(self) -> bool:
        """The recorded mirror id is one that we made or adopted, as far as is known."""
        return self.mirror_id is not None and self.authorship in (
            Authorship.OURS,
            Authorship.ADOPTED,
            Authorship.UNKNOWN,
        )

    @property
    def proven(self) -> bool:
        """The author of the mirror was proven, at some time."""
        return self.authorship is not None and self.authorship.proven

    @property
    def author_evidence(self) -> dict[str, str]:
        """What a person who reviews a removal has to know of its author: an adopted link was made
        by another account."""
        adopted = self.authorship is Authorship.ADOPTED
        return {"authorship": Authorship.ADOPTED.value} if adopted else {}
