"""Bodies of Jira's REST API as core values, read strictly.

Direction (docs/jira.md): in an issue's own `issuelinks` an entry with `outwardIssue: X`
means that this issue is the source and X the destination; `inwardIssue: X` means that X is the
source. `GET issueLink/{id}` carries both: `inwardIssue` is the source.

Missing values stay missing (`links` is None), malformed ones raise `MalformedError`. The parser
guesses nothing, because a misread link looks like a link that is gone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core.evidence import IssueView
from app.core.links import (
    AccountId,
    IssueId,
    IssueKey,
    IssueRef,
    Link,
    LinkId,
    LinkType,
    ProjectId,
    ProjectKey,
    TypeId,
)
from app.jira.changelog import Shape, parse_changelog
from app.jira.http.malformed import MalformedError
from app.jira.http.response import JsonObject

ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}")
PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}")
_ID = re.compile(r"[0-9]{1,19}")
_ACCOUNT = re.compile(r"\S{1,255}")
_LARGEST_ID = 2**63 - 1
"""Largest id: it is stored as a bigint."""
_FIELD_LIMIT = 2048
"""Longest text of a twin field. A key or an address is far shorter."""
_TIME_LIMIT = 64
"""Longest text of a time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reading requests in addition to project and links."""

    changelog: bool = False
    field: str | None = None
    updated: bool = False

    @property
    def fields(self) -> list[str]:
        """Field ids; Jira ignores the ones that it does not have (`archiveddate`)."""
        extra = [self.field] if self.field else []
        extra += ["updated"] if self.updated else []
        return ["project", "issuelinks", "archiveddate", "created", *extra]


def parse_issue(raw: object, wanted: Wanted, shape: Shape) -> IssueView:
    """One issue of a bulk or single answer. Raises `MalformedError`."""
    issue = _object(raw)
    ref = parse_ref(issue)
    fields = _object(issue.get("fields"))
    changes, complete = None, False
    if wanted.changelog:
        changes, complete = parse_changelog(issue.get("changelog"), shape)
    return IssueView(
        ref=ref,
        project=_project(fields.get("project")),
        project_id=_project_id(fields.get("project")),
        links=_links(fields.get("issuelinks"), ref),
        created=_created(fields.get("created")),
        archived=_archived(fields),
        changes=changes,
        changes_complete=complete,
        field_text=_text(fields, wanted.field, _FIELD_LIMIT),
        updated=_text(fields, "updated" if wanted.updated else None, _TIME_LIMIT),
    )


def parse_ref(raw: object) -> IssueRef:
    """Id and key of one raw issue. Raises `MalformedError`."""
    issue = _object(raw)
    key = issue.get("key")
    if not isinstance(key, str) or not ISSUE_KEY.fullmatch(key):
        raise MalformedError("issue key")
    return IssueRef(IssueId(_id(issue.get("id"))), IssueKey(key))


def parse_link(raw: object) -> Link:
    """The answer of `GET issueLink/{id}`, which carries both ends. Raises `MalformedError`."""
    link = _object(raw)
    return Link(
        LinkId(_id(link.get("id"))),
        TypeId(_id(_object(link.get("type")).get("id"))),
        source=parse_ref(link.get("inwardIssue")),
        destination=parse_ref(link.get("outwardIssue")),
    )


def parse_link_types(raw: object) -> list[LinkType]:
    """The answer of `GET issueLinkType`. Raises `MalformedError`."""
    return [_link_type(_object(entry)) for entry in _list(_object(raw).get("issueLinkTypes"))]


def account_id(raw: object) -> AccountId | None:
    """An account id, which is one word. Text with white space is a name of a person and must not be
    stored as an id."""
    return AccountId(raw) if isinstance(raw, str) and _ACCOUNT.fullmatch(raw) else None


def _links(raw: object, own: IssueRef) -> tuple[Link, ...] | None:
    if raw is None:
        return None
    return tuple(_own_link(_object(entry), own) for entry in _list(raw))


def _own_link(entry: JsonObject, own: IssueRef) -> Link:
    outward, inward = entry.get("outwardIssue"), entry.get("inwardIssue")
    if (outward is None) == (inward is None):
        raise MalformedError("link without exactly one other end")
    other = parse_ref(inward if outward is None else outward)
    source, destination = (other, own) if outward is None else (own, other)
    type_id = TypeId(_id(_object(entry.get("type")).get("id")))
    return Link(LinkId(_id(entry.get("id"))), type_id, source, destination)


def _link_type(entry: JsonObject) -> LinkType:
    name, inward, outward = entry.get("name"), entry.get("inward"), entry.get("outward")
    if not (isinstance(name, str) and isinstance(inward, str) and isinstance(outward, str)):
        raise MalformedError("link type")
    return LinkType(TypeId(_id(entry.get("id"))), name, inward, outward)


def _project(raw: object) -> ProjectKey:
    key = _object(raw).get("key")
    if not isinstance(key, str) or not PROJECT_KEY.fullmatch(key):
        raise MalformedError("project key")
    return ProjectKey(key)


def _project_id(raw: object) -> ProjectId | None:
    """None where Jira leaves it out: then the project is known by its key alone."""
    value = _object(raw).get("id")
    return None if value is None else ProjectId(_id(value))


def _created(raw: object) -> datetime | None:
    """None where Jira leaves it out or writes it in a way that says no moment."""
    if not isinstance(raw, str) or len(raw) > _TIME_LIMIT:
        return None
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(UTC)


def _archived(fields: JsonObject) -> bool:
    """Any sign of an archive counts: an archived issue proves nothing (docs/how-it-decides.md)."""
    project = _object(fields.get("project"))
    return bool(fields.get("archiveddate")) or project.get("archived") not in (None, False)


def _text(fields: JsonObject, field: str | None, limit: int) -> str | None:
    value = fields.get(field) if field else None
    return value if isinstance(value, str) and len(value) <= limit else None


def _id(raw: object) -> str:
    """An id as decimal text, as Jira sends it here, or as a number."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str) or not _ID.fullmatch(raw) or int(raw) > _LARGEST_ID:
        raise MalformedError("id")
    return raw


def _object(raw: object) -> JsonObject:
    if not isinstance(raw, dict):
        raise MalformedError("not an object")
    return raw


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise MalformedError("not a list")
    return raw
