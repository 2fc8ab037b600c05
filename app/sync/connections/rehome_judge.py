"""Re-homing: a Jira moved to another site (Data Center to Cloud), where every id is new.

Twins are found again by key. A ledger row is carried over only where the new site shows the same
link: its type, its ends, and an author that fits the row. What is not carried over stays with the
former connection, which is paused, and is listed with the reason; no reason makes it disappear.

=============================================  =======================
the row and what both sites show               verdict
=============================================  =======================
an end is not on the new site, or not seen     leave: issue_not_moved, issue_not_seen
detached                                       carry, detached
managed, the new site has no such link         leave: link_not_moved
managed, it has several                        leave: several_links
managed, mirror moved, origin not there        leave: origin_gone
managed, mirror moved, its author not ours     leave: author_theirs, author_unknown
managed, mirror stayed, it is not there        leave: mirror_gone
managed, mirror stayed, origin made by us      leave: made_by_us
managed, otherwise                             carry, managed
=============================================  =======================
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.ledger import Authorship, Row, State
from app.core.links import Link, LinkId, Side


@dataclass(frozen=True, slots=True)
class Carry:
    """The row goes on with these links: on the new site, and on the side that stayed."""

    state: State
    moved: LinkId | None = None
    stayed: LinkId | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Equal links that both sites show now, and who made the one on the new site."""

    moved: Sequence[Link]
    stayed: Sequence[Link]
    author: Authorship


def judge(row: Row, moved: Side, shown: Shown) -> Carry | Leave:
    """Whether *row* is carried over to the site that side *moved* has now."""
    if row.state is State.DETACHED:
        return Carry(State.DETACHED)
    if row.state is not State.MANAGED:
        return Leave("at_rest")
    if not shown.moved:
        return Leave("link_not_moved")
    if len(shown.moved) > 1:
        return Leave("several_links")
    return _mirror_moved(shown) if row.mirror is moved else _mirror_stayed(row, shown)


def _mirror_moved(shown: Shown) -> Carry | Leave:
    if not shown.stayed:
        return Leave("origin_gone")
    if shown.author is not Authorship.OURS:
        return Leave(f"author_{shown.author.value}")
    return Carry(State.MANAGED, shown.moved[0].id, shown.stayed[0].id)


def _mirror_stayed(row: Row, shown: Shown) -> Carry | Leave:
    if row.mirror_id is None or row.mirror_id not in {link.id for link in shown.stayed}:
        return Leave("mirror_gone")
    if shown.author is Authorship.OURS:
        return Leave("made_by_us")
    return Carry(State.MANAGED, shown.moved[0].id, row.mirror_id)
