"""A connection's configuration as a value. One instance is one immutable revision.

`problems` lists every rule that a configuration breaks, so that one answer names them all.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from app.core.links import LinkType, ProjectKey, Side, TypeId

# Above these a "limit" would no longer be one (docs/how-it-decides.md).
SHARE_BOUNDS = (0.001, 0.5)
HOUR_MAX = 500
DAY_MAX = 2000


class Direction(StrEnum):
    """On which side a link may be an origin."""

    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    BOTH = "both"

    def allows_origin(self, side: Side) -> bool:
        """May a link that appears on *side* be mirrored to the other?"""
        if self is Direction.BOTH:
            return True
        return (self is Direction.LEFT_TO_RIGHT) == (side is Side.LEFT)


class Mode(StrEnum):
    """Operating state, not configuration. Ordered by what may be written."""

    SHADOW = "shadow"
    CREATE_ONLY = "create_only"
    REVIEW = "review"
    LIVE = "live"

    @property
    def rank(self) -> int:
        return list(Mode).index(self)


class OnMirrorRemoved(StrEnum):
    """What follows when another account removes a mirror (docs/how-it-decides.md)."""

    DETACH = "detach"
    RECREATE = "recreate"


class OnIssueDeleted(StrEnum):
    """What follows for the mirror when an issue at the origin was deleted."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Problem:
    """`pointer` is a JSON pointer into the body that was sent."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class End:
    """One side of a connection: the name of its site, and the keys of the projects in scope."""

    site: str
    projects: tuple[ProjectKey, ...]


@dataclass(frozen=True, slots=True)
class TypePair:
    """One entry of the type map, resolved. `reversed`: left source is right destination."""

    left: LinkType
    right: LinkType
    reversed: bool = False

    def on(self, side: Side) -> LinkType:
        return side.pick(self.left, self.right)


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """Limit = share of the links managed at the window's start, within min and max."""

    share: float
    min: int
    max: int

    def stricter(self, other: "WindowLimits") -> "WindowLimits":
        """Each figure as the stricter of both has it."""
        return WindowLimits(
            min(self.share, other.share), min(self.min, other.min), min(self.max, other.max)
        )


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """The guard's limits for its two windows, the last hour and the last day."""

    hour: WindowLimits = WindowLimits(0.01, 10, 100)
    day: WindowLimits = WindowLimits(0.05, 20, 500)

    def stricter(self, other: "GuardLimits") -> "GuardLimits":
        return GuardLimits(self.hour.stricter(other.hour), self.day.stricter(other.day))


@dataclass(frozen=True, slots=True)
class TwinSource:
    """`api`: people and CSV. `field`: custom field *field* of *side* holds the other key."""

    source: str = "api"
    side: Side | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    left: End
    right: End
    direction: Direction
    link_types: tuple[TypePair, ...]
    on_mirror_removed: OnMirrorRemoved = OnMirrorRemoved.DETACH
    on_issue_deleted: OnIssueDeleted = OnIssueDeleted.KEEP
    guard: GuardLimits = GuardLimits()
    twins: TwinSource = TwinSource()
    # How many owners a plan needs to be applied.
    approvals: int = 1

    def end(self, side: Side) -> End:
        return side.pick(self.left, self.right)

    def pair_of(self, side: Side, type_id: TypeId) -> TypePair | None:
        """The map entry of a type as *side* names it; None where the type is not mapped."""
        return next((pair for pair in self.link_types if pair.on(side).id == type_id), None)

    def respelled(self, types: Callable[[Side, TypeId], LinkType | None]) -> "ConnectionConfig":
        """With mapped types as *types* spells them now. One that has a direction where it had none
        before, or the other way round, stays as it was: that is another map."""

        def now(side: Side, was: LinkType) -> LinkType:
            found = types(side, was.id)
            return was if found is None or found.symmetric != was.symmetric else found

        pairs = tuple(
            replace(pair, left=now(Side.LEFT, pair.left), right=now(Side.RIGHT, pair.right))
            for pair in self.link_types
        )
        return replace(self, link_types=pairs)

    def type_on(self, side: Side, type_id: TypeId) -> LinkType | None:
        """The mapped type of this id; None where there is none."""
        pair = self.pair_of(side, type_id)
        return None if pair is None else pair.on(side)

    def no_looser_than(self, other: "ConnectionConfig") -> "ConnectionConfig":
        """This one, with the stricter of both for what protects links: the guard's limits, what
        follows the deletion of an issue, and how many owners approve."""
        keeps = OnIssueDeleted.KEEP in (self.on_issue_deleted, other.on_issue_deleted)
        return replace(
            self,
            guard=self.guard.stricter(other.guard),
            on_issue_deleted=OnIssueDeleted.KEEP if keeps else OnIssueDeleted.REMOVE,
            approvals=max(self.approvals, other.approvals),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, stable across versions: this is what a revision stores."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ConnectionConfig":
        """From what `to_json` of any version so far gave. It is not checked: see `problems`."""
        twins = stored["twins"]
        return cls(
            left=End(stored["left"]["site"], tuple(stored["left"]["projects"])),
            right=End(stored["right"]["site"], tuple(stored["right"]["projects"])),
            direction=Direction(stored["direction"]),
            link_types=tuple(
                TypePair(LinkType(**pair["left"]), LinkType(**pair["right"]), pair["reversed"])
                for pair in stored["link_types"]
            ),
            on_mirror_removed=OnMirrorRemoved(stored["on_mirror_removed"]),
            on_issue_deleted=OnIssueDeleted(stored["on_issue_deleted"]),
            guard=GuardLimits(
                WindowLimits(**stored["guard"]["hour"]), WindowLimits(**stored["guard"]["day"])
            ),
            twins=TwinSource(
                twins["source"], Side(twins["side"]) if twins["side"] else None, twins["field"]
            ),
            # Revisions that were stored before there was a choice lack this field.
            approvals=stored.get("approvals", 1),
        )


def problems(config: ConnectionConfig) -> list[Problem]:
    """Every rule of docs/how-it-decides.md that *config* breaks. Empty means usable."""
    return [
        *_end_problems(config),
        *_type_problems(config.link_types),
        *_window_problems("/guard/hour", config.guard.hour, HOUR_MAX),
        *_window_problems("/guard/day", config.guard.day, DAY_MAX),
        *_twin_problems(config.twins),
        *_approval_problems(config.approvals),
    ]


def _end_problems(config: ConnectionConfig) -> Iterable[Problem]:
    if config.left.site == config.right.site:
        yield Problem("/right/site", "a connection joins two different sites")
    for side in Side:
        end = config.end(side)
        if not end.projects:
            yield Problem(f"/{side}/projects", "at least one project")
        for project, count in Counter(end.projects).items():
            if count > 1:
                yield Problem(f"/{side}/projects", f"{project} is named twice")


def _type_problems(pairs: tuple[TypePair, ...]) -> Iterable[Problem]:
    if not pairs:
        yield Problem("/link_types", "at least one link type")
    for side in Side:
        seen = Counter(pair.on(side).id for pair in pairs)
        for at, pair in enumerate(pairs):
            if seen[pair.on(side).id] > 1:
                detail = f"{pair.on(side).name!r} is mapped twice; the map is one-to-one"
                yield Problem(f"/link_types/{at}/{side}", detail)
    for at, pair in enumerate(pairs):
        if pair.left.symmetric != pair.right.symmetric:
            yield Problem(f"/link_types/{at}", "a symmetric type maps only to a symmetric one")
        elif pair.reversed and pair.left.symmetric:
            yield Problem(f"/link_types/{at}/reversed", "a symmetric type has no direction")


def _window_problems(at: str, window: WindowLimits, highest: int) -> Iterable[Problem]:
    low, high = SHARE_BOUNDS
    if not low <= window.share <= high:
        yield Problem(f"{at}/share", f"between {low} and {high}")
    if not 1 <= window.max <= highest:
        yield Problem(f"{at}/max", f"between 1 and {highest}")
    if not 1 <= window.min <= window.max:
        yield Problem(f"{at}/min", "between 1 and max")


def _twin_problems(twins: TwinSource) -> Iterable[Problem]:
    if twins.source == "field" and (twins.side is None or not twins.field):
        yield Problem("/twins", "a field source needs side and field")
    if twins.source == "api" and (twins.side is not None or twins.field):
        yield Problem("/twins", "an api source has neither side nor field")


def _approval_problems(approvals: int) -> Iterable[Problem]:
    if approvals not in (1, 2):
        yield Problem("/approvals", "1 or 2")
