"""Raw batches become a `Reading`: the issues that came back, and the others with the reason."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType

from app.core.evidence import IssueView, Reading
from app.core.links import IssueId, IssueKey
from app.jira.changelog import Shape
from app.jira.deployment import CHUNK, Batch, Flavour
from app.jira.http.malformed import MalformedError
from app.jira.payloads import Wanted, parse_issue


async def read_by_id(
    flavour: Flavour, ids: Sequence[IssueId], wanted: Wanted, *, bulk: bool
) -> Reading:
    """Read any number of issues, one chunk after the other."""
    asked = list(dict.fromkeys(ids))
    parts: list[Reading] = []
    for start in range(0, len(asked), CHUNK):
        chunk = asked[start : start + CHUNK]
        batch = await flavour.by_id(chunk, wanted, bulk=bulk)
        parts.append(reading(chunk, batch, wanted, flavour.shape))
    return merged(parts)


def reading(asked: Sequence[IssueId], batch: Batch, wanted: Wanted, shape: Shape) -> Reading:
    """The result of *batch* for the requested issues; other issues in it are ignored."""
    views: dict[IssueId, IssueView] = {}
    unread: dict[str, str] = {}
    for raw in batch.issues:
        issue = _asked_id(raw, asked)
        if issue is None:
            continue
        try:
            view = parse_issue(raw, wanted, shape)
        except MalformedError:
            unread[issue] = "malformed"
            continue
        if views.setdefault(issue, view) != view:
            unread[issue] = "malformed"  # twice in one reading, with different content
    for issue in asked:
        if issue not in views and issue not in unread:
            unread[issue] = "error" if issue in batch.failed else "not_returned"
    seen = {issue: view for issue, view in views.items() if issue not in unread}
    return Reading(batch.at, MappingProxyType(seen), MappingProxyType(unread))


def merged(parts: Sequence[Reading]) -> Reading:
    """All parts as one `Reading`. One part without a date makes the whole undated (see `Batch`)."""
    whole = Batch()
    issues: dict[IssueId, IssueView] = {}
    unread: dict[str, str] = {}
    for index, part in enumerate(parts):
        whole = Batch(at=part.at) if index == 0 else whole.joined(Batch(at=part.at))
        issues.update(part.issues)
        unread.update(part.unread)
    return Reading(whole.at, MappingProxyType(issues), MappingProxyType(unread))


async def resolve(
    flavour: Flavour, keys: Sequence[IssueKey], wanted: Wanted
) -> dict[IssueKey, IssueView]:
    """Issues by their present or a former key, without those that the account cannot see."""
    asked = list(dict.fromkeys(keys))
    found: dict[IssueKey, IssueView] = {}
    for start in range(0, len(asked), CHUNK):
        chunk = asked[start : start + CHUNK]
        batch, moved = await flavour.by_key(chunk, wanted)
        by_key = {view.ref.key: view for view in parsed(batch.issues, wanted, flavour.shape)}
        found.update({key: by_key[key] for key in chunk if key in by_key})
        for key in chunk:
            if key in moved and key not in found:
                single = await flavour.one(key, wanted)
                for view in parsed(single.issues, wanted, flavour.shape):
                    found[key] = view
    return found


def parsed(issues: Iterable[object], wanted: Wanted, shape: Shape) -> list[IssueView]:
    """The issues that can be parsed; malformed ones are left out."""
    views = []
    for raw in issues:
        try:
            views.append(parse_issue(raw, wanted, shape))
        except MalformedError:
            continue
    return views


def _asked_id(raw: object, asked: Sequence[IssueId]) -> IssueId | None:
    """The id of one raw issue, if it was requested. An issue with a malformed id cannot be matched,
    so the requested issue stays *not_returned*."""
    value = raw.get("id") if isinstance(raw, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return IssueId(value) if isinstance(value, str) and value in asked else None
