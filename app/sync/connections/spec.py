"""A connection as an administrator wants it, and its link types found on the sites."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

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
from app.sync.sites.check import Finding

_SHOWN = 20
"""Link types that a refusal names."""


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
    """By id, then by name as it is spelt, then by name in any case where that is unique, then by a
    name that it had before."""
    exact = [t for t in types if t.id == wanted] or [t for t in types if t.name == wanted]
    if exact:
        return exact[0]
    name = wanted.casefold()
    loose = [t for t in types if t.name.casefold() == name]
    loose = loose or [t for t in types if name in (was.casefold() for was in t.former_names)]
    return loose[0] if len(loose) == 1 else None


def resolve(
    wishes: Sequence[TypeWish], types: Mapping[Side, Sequence[LinkType]]
) -> tuple[list[TypePair], list[Problem]]:
    """The type map with full types, and a problem for each that its site does not have."""
    pairs, problems = [], []
    for at, wish in enumerate(wishes):
        found = {side: find(wish.on(side), types[side]) for side in Side}
        problems += [
            Problem(f"/link_types/{at}/{side.value}", _unknown(wish.on(side), side, types[side]))
            for side in Side
            if found[side] is None
        ]
        left, right = found[Side.LEFT], found[Side.RIGHT]
        if left is not None and right is not None:
            pairs.append(TypePair(left, right, wish.reversed))
    return pairs, problems


def renamed(wishes: Sequence[TypeWish], pairs: Sequence[TypePair], side: Side) -> Iterable[Finding]:
    """The types of *side* that were asked for by a name of before."""
    for wish, pair in zip(wishes, pairs, strict=True):
        wanted, kind = wish.on(side), pair.on(side)
        if wanted != kind.id and wanted.casefold() != kind.name.casefold():
            detail = f"{wanted} is called {kind.name} now: name it so"
            yield Finding("link_type_renamed", "info", detail)


def _unknown(wanted: str, side: Side, types: Sequence[LinkType]) -> str:
    """The value, and what there is instead; what is spelt alike comes first."""
    names = sorted(it.name for it in types)
    like = get_close_matches(wanted, names, n=1)
    meant = f" (did you mean {like[0]!r}?)" if like else ""
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"link type {wanted!r} is not on {side.value}{meant}; it has: {shown or 'none'}"


def overlaps(config: ConnectionConfig, other: ConnectionConfig) -> bool:
    """Whether both would look at the same pairs of projects, whichever side they call left."""
    crossed = config.left.site == other.right.site
    its_left, its_right = (other.right, other.left) if crossed else (other.left, other.right)
    return bool(
        set(config.left.projects) & set(its_left.projects)
        and set(config.right.projects) & set(its_right.projects)
    )
