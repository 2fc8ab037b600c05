"""Whether an issue that a site shows is the one that we know.

A Jira that was restored from a backup gives ids, and keys, out again: a stranger's issue may have
both of a lost one. Neither says which issue it is, but the moment at which it was made does. It is
stored when a look first shows the issue under the id and key that we know. From then on an issue
with the same id and another moment counts as unread (`replaced`), and one with the same moment is
the same issue, whatever its key.
"""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from app.core.evidence import IssueView, Reading
from app.core.links import IssueId, Side
from app.store.links import twins
from app.store.links.twins import Twin
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context

REPLACED = "replaced"


def take(look: Look, side: Side, reading: Reading) -> None:
    """Merge *reading* into the look, without issues that are others than those that we know."""
    strangers = {
        issue: REPLACED
        for issue, view in reading.issues.items()
        if (twin := look.twin_at(side, issue)) is not None and _is_another(twin, side, view)
    }
    known = {issue: it for issue, it in reading.issues.items() if issue not in strangers}
    unread = MappingProxyType({**reading.unread, **strangers})
    found = Reading(reading.at, MappingProxyType(known), unread)
    before = look.readings.get(side)
    look.readings[side] = found if before is None else before.merged(found)


def replaced(look: Look, side: Side, ends: Iterable[IssueId]) -> bool:
    """Whether one of these issues is another than the one that we know."""
    return any(look.readings[side].unread.get(end) == REPLACED for end in ends)


def moved(twin: Twin, side: Side, view: IssueView) -> bool:
    """Whether the issue is certainly the same one, under another key than the one that we know."""
    return view.created is not None and view.created == twin.born(side)


async def learn(ctx: Context, look: Look) -> None:
    """Store when issues were made that are shown under the id and key that we know."""
    for side in Side:
        seen = look.readings[side].issues
        news = {
            twin.id: view.created
            for twin in look.twins.values()
            if twin.born(side) is None
            and (view := seen.get(twin.on(side).id)) is not None
            and view.created is not None
            and view.ref.key == twin.on(side).key
        }
        if not news:
            continue
        async with ctx.database.transaction() as conn:
            await twins.note_born(conn, side, dict(sorted(news.items())))
        for twin_id, at in news.items():
            twin = look.twins[twin_id]
            left, right = side.order(at, twin.born(side.other))
            look.know([replace(twin, left_born=left, right_born=right)])


def _is_another(twin: Twin, side: Side, view: IssueView) -> bool:
    born = twin.born(side)
    return born is not None and view.created is not None and view.created != born
