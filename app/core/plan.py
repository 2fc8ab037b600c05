"""A plan as a value: sorted, counted, and with a digest that ties its approval to its content."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.core.chain import digest
from app.core.operations import Operation
from app.core.rendering.foreign_text import in_markdown, plain

# A plan gathers this long, or until it holds this many changes; then it is sealed.
KINDS: Final[Mapping[str, str]] = {
    "removals": "removals that are held",
    "unpairings": "pairs to be let go; no link is removed",
    "shadow": "what shadow mode leaves undone",
    "dry_run": "what a comparison would do",
    "restore": "links to be put back",
    "undo": "links to be taken back",
    "rescue": "links of others to be put back",
    "adoption": "links to be taken over",
}
"""What a plan is about, by its kind."""
GATHER_SECONDS = 30
LARGEST = 1000


class PlanKind(StrEnum):
    """What a plan would do. `shadow` and `dry_run` only show it."""

    REMOVALS = "removals"
    SHADOW = "shadow"
    DRY_RUN = "dry_run"
    RESTORE = "restore"
    UNDO = "undo"
    RESCUE = "rescue"
    ADOPTION = "adoption"
    UNPAIRINGS = "unpairings"
    REHOMING = "rehoming"

    @property
    def decidable(self) -> bool:
        """Whether plans of this kind wait for a person's decision."""
        return self not in (PlanKind.SHADOW, PlanKind.DRY_RUN)


class PlanStatus(StrEnum):
    """How far a plan is. It is sealed from `held` on: its changes are fixed, and its digest names
    them. A plan that is only shown stays `shadow`."""

    GATHERING = "gathering"
    HELD = "held"
    APPROVED = "approved"
    """By the first of two owners."""
    APPLYING = "applying"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SHADOW = "shadow"

    @property
    def waits(self) -> bool:
        """For a person, who can still approve or reject it."""
        return self in (PlanStatus.HELD, PlanStatus.APPROVED)


@dataclass(frozen=True, slots=True, order=True)
class PlanChange:
    """One change as it is approved. The order of the fields is the plan's order.

    Keys, reason and `adopted` are for people; the digest covers what would be done. `adopted`: two
    owners took the link over from another account, which made it.
    """

    site: str
    operation: Operation
    type_id: str
    source_id: str
    destination_id: str
    link_id: str | None = None
    type: str = ""
    source_key: str = ""
    destination_key: str = ""
    reason: str = ""
    adopted: bool = False

    @property
    def why(self) -> str:
        return f"{self.reason}, adopted from another account" if self.adopted else self.reason

    def canonical(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "operation": self.operation.value,
            "type_id": self.type_id,
            "source_id": self.source_id,
            "destination_id": self.destination_id,
            "link_id": self.link_id,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """`kind` and `revision` belong to what is approved: the same changes under another
    configuration are another plan."""

    id: str
    connection: str
    kind: PlanKind
    revision: int
    changes: tuple[PlanChange, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(change.operation for change in self.changes)
        return {name: found[name] for name in Operation}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical form; the order in which changes came does not count."""
        return digest(
            {
                "plan": self.id,
                "connection": self.connection,
                "kind": self.kind,
                "revision": self.revision,
                "changes": [change.canonical() for change in ordered(self.changes)],
            }
        )


def ordered(changes: Iterable[PlanChange]) -> list[PlanChange]:
    """By site, operation, type and ends, as text: the order of every rendering."""
    return sorted(changes, key=_place)


def _counted(plan: Plan) -> str:
    counts = plan.counts
    more = "".join(
        f", {counts[name]} to {name}"
        for name in (Operation.ADOPT, Operation.RELEASE)
        if counts[name]
    )
    kind = KINDS.get(plan.kind, plan.kind)
    return f"{counts['create']} to create, {counts['remove']} to remove{more} ({kind})"


def _place(change: PlanChange) -> tuple[str, ...]:
    return (
        change.site,
        change.operation,
        change.type_id,
        change.source_id,
        change.destination_id,
        change.link_id or "",
    )


def as_text(plan: Plan) -> str:
    """For a terminal: a heading, then one line a change."""
    lines = [
        f"Plan {plan.id} of {plan.connection}, revision {plan.revision}: {_counted(plan)}",
        f"digest {plan.digest}",
    ]
    signs = {
        Operation.CREATE: "+",
        Operation.REMOVE: "-",
        Operation.ADOPT: "=",
        Operation.RELEASE: "~",
    }
    lines += [
        plain(
            f"{signs[it.operation]} {it.site}: {it.source_key} {it.type} {it.destination_key}"
            f"{f' (link {it.link_id})' if it.link_id else ''}: {it.why}"
        )
        for it in ordered(plan.changes)
    ]
    return "\n".join(lines) + "\n"


def as_markdown(plan: Plan) -> str:
    """For a ticket or a review: the same, as a table."""
    lines = [
        f"## Plan {plan.id}: {plan.connection}, revision {plan.revision}",
        "",
        f"{_counted(plan)}. Digest `{plan.digest}`.",
        "",
        "| operation | site | source | type | destination | link | reason |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {it.operation} | {it.site} | {in_markdown(it.source_key)} | {in_markdown(it.type)} |"
        f" {in_markdown(it.destination_key)} | {it.link_id or ''} | {_cell(it.why)} |"
        for it in ordered(plan.changes)
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A reason is a word of ours: its underscores are no emphasis."""
    return plain(text).replace("|", "\\|")
