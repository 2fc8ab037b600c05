"""A connection as an administrator wants it, and its link types found on the sites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.config import (
    ConnectionConfig,
    Direction,
    End,
    GuardLimits,
    OnIssueDeleted,
    OnMirrorRemoved,
    Problem,
    TwinSource,
    TypePair,
)
from app.core.links import LinkType, Side


@dataclass(frozen=True, slots=True)
class TypeWish:
    """One entry of the type map as it was sent: names or ids."""

    left: str
    right: str
    reversed: bool

    def on(self, side: Side) -> str:
        return side.pick(self.left, self.right)


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    left: End
    right: End
    direction: Direction
    link_types: tuple[TypeWish, ...]
    on_mirror_removed: OnMirrorRemoved
    on_issue_deleted: OnIssueDeleted
    guard: GuardLimits
    twins: TwinSource
    approvals: int = 1

    def end(self, side: Side) -> End:
        return side.pick(self.left, self.right)

    def config(self, pairs: Sequence[TypePair]) -> ConnectionConfig:
        return ConnectionConfig(
            left=self.left,
            right=self.right,
            direction=self.direction,
            link_types=tuple(pairs),
            on_mirror_removed=self.on_mirror_removed,
            on_issue_deleted=self.on_issue_deleted,
            guard=self.guard,
            twins=self.twins,
            approvals=self.approvals,
        )


def find(wanted: str, types: Sequence[LinkType]) -> LinkType | None:
    """By id, then by name as it is spelt, then by name in any case where that is unique."""
    exact = [t for t in types if t.id == wanted] or [t for t in types if t.name == wanted]
    if exact:
        return exact[0]
    loose = [t for t in types if t.name.casefold() == wanted.casefold()]
    return loose[0] if len(loose) == 1 else None


def resolve(
    wishes: Sequence[TypeWish], types: Mapping[Side, Sequence[LinkType]]
) -> tuple[list[TypePair], list[Problem]]:
    """The type map with full types, and a problem for each that its site does not have."""
    pairs, problems = [], []
    for at, wish in enumerate(wishes):
        found = {side: find(wish.on(side), types[side]) for side in Side}
        problems += [
            Problem(f"/link_types/{at}/{side.value}", "the site has no such link type")
            for side in Side
            if found[side] is None
        ]
        left, right = found[Side.LEFT], found[Side.RIGHT]
        if left is not None and right is not None:
            pairs.append(TypePair(left, right, wish.reversed))
    return pairs, problems


def overlaps(config: ConnectionConfig, other: ConnectionConfig) -> bool:
    """Whether both would look at the same pairs of projects, whichever side they call left."""
    crossed = config.left.site == other.right.site
    its_left, its_right = (other.right, other.left) if crossed else (other.left, other.right)
    return bool(
        set(config.left.projects) & set(its_left.projects)
        and set(config.right.projects) & set(its_right.projects)
    )
