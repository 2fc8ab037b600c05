"""What a site showed us, and what follows from it: present, absent with proof, or unknown.

Source of the rules: docs/how-it-decides.md. They err towards *unknown*; unknown changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from app.core.links import (
    AccountId,
    Ends,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkId,
    LinkType,
    ProjectId,
    ProjectKey,
    equal_links,
)


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One Link item of an issue's changelog. `target` is a key: Jira gives no id here."""

    at: datetime
    author: AccountId | None
    added: bool
    target: IssueKey
    text: str
    """Jira's sentence, such as "This issue blocks KEY-2", localised. Compared, never stored."""
    history_id: str


@dataclass(frozen=True, slots=True)
class IssueView:
    """One issue of a complete answer. `links` is None where the array was missing."""

    ref: IssueRef
    project: ProjectKey
    links: tuple[Link, ...] | None
    archived: bool = False
    changes: tuple[LinkChange, ...] | None = None
    """Link items of the changelog, oldest first; None where it was not asked for."""
    changes_complete: bool = False
    """False where Jira cut the changelog off (40 entries on a bulk answer)."""
    field_text: str | None = None
    """Text of the one extra field that was asked for (the twin field), else None."""
    project_id: ProjectId | None = None
    created: datetime | None = None
    """When the issue was made: with its id it tells the issue from any other, whatever its key."""
    updated: str | None = None
    """Jira's text for its last change, where that was asked for: compared, never parsed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One or more bulk answers of one site, merged.

    `issues` holds what came back; `unread` what was asked for and did not, with the reason
    ("not_returned", "error", "truncated"). `at` is the earliest `Date` of the answers by
    Jira's own clock, cut to whole seconds as HTTP does.
    """

    at: datetime
    issues: Mapping[IssueId, IssueView] = field(default_factory=lambda: MappingProxyType({}))
    unread: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def merged(self, other: "Reading") -> "Reading":
        """Both readings; *other* wins where both hold an issue."""
        return Reading(
            min(self.at, other.at),
            MappingProxyType({**self.issues, **other.issues}),
            MappingProxyType({**self.unread, **other.unread}),
        )


class Lookup(StrEnum):
    """What `GET issueLink/{id}` said about one id. `REUSED`: it is another link's, between other
    issues. Jira never changes the ends of a link, so the one that had the id is gone, and this
    Jira went back in time since."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    REUSED = "reused"
    ERROR = "error"

    @property
    def gone(self) -> bool:
        return self in (Lookup.GONE, Lookup.REUSED)


@dataclass(frozen=True, slots=True)
class Present:
    """At least one equal link is there. `ids` holds all of them.

    `known_gone`: the id that the ledger knows is not among them and answers 404.
    `foreign`: those that another connection manages; `made`: those that we made or adopted at
    any time, in any connection. Neither is ever an origin.
    """

    ids: frozenset[LinkId]
    known_gone: bool = False
    foreign: frozenset[LinkId] = frozenset()
    made: frozenset[LinkId] = frozenset()

    @property
    def origins(self) -> frozenset[LinkId]:
        """The ids that may be an origin: what we made never is, whatever its row says."""
        return self.ids - self.foreign - self.made


@dataclass(frozen=True, slots=True)
class Absent:
    """Proven: see `presence`. `evidence` is what the audit keeps of the proof."""

    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not proven either way; `reason` is a stable word for people and metrics."""

    reason: str


Presence = Present | Absent | Unknown


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The ends that we read do not list it. Weaker than `Absent`: proof was not sought yet."""


Observed = Presence | Unlisted
"""What `diff` takes: a presence, or one whose proof is still to be sought."""


@dataclass(frozen=True, slots=True)
class SideFacts:
    """All that was gathered about one link key on one side, before it is judged.

    `known` is the id that the ledger or an event names. `twin_keys` are the keys under
    which we know the two ends. `lookup` is the answer for `known`, None if not asked.
    """

    link_type: LinkType
    ends: Ends
    twin_keys: tuple[IssueKey, IssueKey]
    reading: Reading
    known: LinkId | None = None
    lookup: Lookup | None = None
    assured: bool = False

    @property
    def known_is_gone(self) -> bool:
        return self.known is not None and self.lookup is not None and self.lookup.gone


def glance(facts: SideFacts) -> Observed:
    """Judge by the issues read so far, without proof of absence.

    A link that any readable end lists is present; an end that could not be read does not
    hide it. If nothing lists it, an unreadable end makes it unknown, else it is unlisted.
    """
    ids = _listed(facts)
    if ids:
        return Present(frozenset(ids), known_gone=facts.known not in ids and facts.known_is_gone)
    for end in (facts.ends.source, facts.ends.destination):
        if end in facts.reading.unread:
            return Unknown(f"issue_{facts.reading.unread[end]}")
    return Unlisted()


def presence(facts: SideFacts) -> Presence:
    """Judge with everything that a proof of absence demands; see the table of reasons.

    ============================================== =====================
    not both ends in a complete answer             `issue_<why>`
    an end under another key than we know          `key_changed`
    an end without its array of links              `links_missing`
    an end archived                                `archived`
    account or identity not confirmed within 60 s  `not_assured`
    the known id answers with the same link        `listing_lags`
    the known id answers with another type         `link_changed`
    the known id could not be asked                `lookup_failed`
    ============================================== =====================
    """
    seen = glance(facts)
    if isinstance(seen, Present):
        if facts.known is None or facts.known in seen.ids or seen.known_gone:
            return seen
        return Unknown(_lookup_reason(facts.lookup))
    if isinstance(seen, Unknown):
        return seen
    reason = _ends_reason(facts)
    if reason is not None:
        return Unknown(reason)
    if not facts.assured:
        return Unknown("not_assured")
    if facts.known is not None and not facts.known_is_gone:
        return Unknown(_lookup_reason(facts.lookup))
    return Absent(_proof(facts))


def _listed(facts: SideFacts) -> set[LinkId]:
    ids: set[LinkId] = set()
    for end in (facts.ends.source, facts.ends.destination):
        view = facts.reading.issues.get(end)
        if view is not None and view.links is not None:
            equal = equal_links(view.links, facts.link_type, facts.ends)
            ids.update(link.id for link in equal)
    return ids


def _ends_reason(facts: SideFacts) -> str | None:
    ends = (facts.ends.source, facts.ends.destination)
    for end, key in zip(ends, facts.twin_keys, strict=True):
        view = facts.reading.issues.get(end)
        if view is None:
            return "issue_not_read"
        if view.ref.key != key:
            return "key_changed"
        if view.links is None:
            return "links_missing"
        if view.archived:
            return "archived"
    return None


def _lookup_reason(lookup: Lookup | None) -> str:
    match lookup:
        case Lookup.SAME:
            return "listing_lags"
        case Lookup.CHANGED:
            return "link_changed"
        case _:
            return "lookup_failed"


def _proof(facts: SideFacts) -> dict[str, str]:
    proof = {"read_at": facts.reading.at.isoformat(), "ends": "complete"}
    if facts.known is not None:
        proof["link_id"] = facts.known
        proof["lookup"] = "404" if facts.lookup is Lookup.GONE else "another link's"
    return proof
