"""What a decision was made from, as text that later versions read.

`VERSION` names the format; it changes with any change of the text. A reader answers `Unreadable` to
every format that it does not know, so that a history with unknown entries is still evaluated. Only
identifiers, states and times are written: of a proof of absence its kinds of evidence, and no issue
key, name or wording.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import Decision, decide
from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import IssueId, LinkId, Side, TypeId

VERSION = 1

Decide = Callable[[Row | None, Observed, Observed, Direction, OnMirrorRemoved], Decision]


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that `decide` takes, for one link key."""

    row: Row | None
    left: Observed
    right: Observed
    direction: Direction
    on_mirror_removed: OnMirrorRemoved

    def decision(self, by: Decide = decide) -> Decision:
        return by(self.row, self.left, self.right, self.direction, self.on_mirror_removed)

    def bare(self) -> "Inputs":
        """Without what the text leaves out: the values of the evidence. No decision reads them."""
        return replace(self, left=_bare(self.left), right=_bare(self.right))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Of another version, or not what a version says it is."""

    version: int


def encode(inputs: Inputs) -> str:
    """The text of format `VERSION`."""
    return json.dumps(
        {
            "row": None if inputs.row is None else _row_out(inputs.row),
            "left": _seen_out(inputs.left),
            "right": _seen_out(inputs.right),
            "direction": inputs.direction.value,
            "on_mirror_removed": inputs.on_mirror_removed.value,
        },
        separators=(",", ":"),
    )


def decode(version: int, text: str) -> Inputs | Unreadable:
    """The inputs as `bare`, or `Unreadable`; never an error."""
    if version != VERSION:
        return Unreadable(version)
    try:
        it = json.loads(text)
        return Inputs(
            None if it["row"] is None else _row_in(it["row"]),
            _seen_in(it["left"]),
            _seen_in(it["right"]),
            Direction(it["direction"]),
            OnMirrorRemoved(it["on_mirror_removed"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Unreadable(version)


def _bare(seen: Observed) -> Observed:
    return Absent(dict.fromkeys(sorted(seen.evidence), "")) if isinstance(seen, Absent) else seen


def _row_out(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": [row.key.left_type, row.key.source_twin, row.key.destination_twin],
        "right_type": row.right_type,
        "origin": row.origin.value,
        "state": row.state.value,
        "former": row.former and row.former.value,
        "authorship": row.authorship and row.authorship.value,
        "authored_after": row.authored_after and row.authored_after.isoformat(),
        "links": [row.left_link, row.right_link],
        "version": row.version,
        "right_source": row.right_source,
    }


def _row_in(it: dict[str, Any]) -> Row:
    left_type, source, destination = it["key"]
    left, right = it["links"]
    authored_after = it["authored_after"]
    return Row(
        id=_number(it["id"]),
        key=LinkKey(TypeId(_text(left_type)), _number(source), _number(destination)),
        right_type=TypeId(_text(it["right_type"])),
        origin=Side(it["origin"]),
        state=State(it["state"]),
        former=None if it["former"] is None else State(it["former"]),
        authorship=None if it["authorship"] is None else Authorship(it["authorship"]),
        authored_after=None if authored_after is None else datetime.fromisoformat(authored_after),
        left_link=None if left is None else LinkId(_text(left)),
        right_link=None if right is None else LinkId(_text(right)),
        version=_number(it["version"]),
        right_source=None if it["right_source"] is None else IssueId(_text(it["right_source"])),
    )


def _seen_out(seen: Observed) -> dict[str, Any]:
    match seen:
        case Present():
            return {
                "present": sorted(seen.ids),
                "known_gone": seen.known_gone,
                "foreign": sorted(seen.foreign),
                "made": sorted(seen.made),
            }
        case Absent():
            return {"absent": sorted(seen.evidence)}
        case Unknown():
            return {"unknown": seen.reason}
        case Unlisted():
            return {"unlisted": True}
    assert_never(seen)


def _seen_in(it: dict[str, Any]) -> Observed:
    match it:
        case {"present": ids, "known_gone": bool(known_gone), "foreign": foreign, "made": made}:
            return Present(_ids(ids), known_gone, _ids(foreign), _ids(made))
        case {"absent": kinds}:
            return Absent(dict.fromkeys(map(_text, kinds), ""))
        case {"unknown": reason}:
            return Unknown(_text(reason))
        case {"unlisted": True}:
            return Unlisted()
        case _:
            raise ValueError("unknown_observation")


def _ids(found: list[Any]) -> frozenset[LinkId]:
    return frozenset(LinkId(_text(it)) for it in found)


def _text(it: object) -> str:
    if not isinstance(it, str):
        raise TypeError
    return it


def _number(it: object) -> int:
    if not isinstance(it, int) or isinstance(it, bool):
        raise TypeError
    return it
