"""issue: read, create, edit, delete, bulkfetch, changelog."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from app.sandbox import issues
from app.sandbox.model import Issue, Refusal
from app.sandbox.render import Json, View
from app.sandbox.routes import links
from app.sandbox.wire import Call, Reply, chosen, empty, listed, ok, plain

BULK_ISSUES = 100
BULK_HISTORIES = 40
BULK_CHANGELOG_ISSUES = 1000
BULK_BODY = ("issueIdsOrKeys", "fields", "fieldsByKeys", "expand", "properties")


def read(call: Call) -> Reply:
    issue = call.issue()
    fields, without = chosen(call, call.names("fields"), None)
    view = call.view()
    made = view.issue(issue, fields, without)
    if "changelog" in call.names("expand"):
        made["changelog"] = changelog(view, issue, 100)
    return ok(made)


def bulkfetch(call: Call) -> Reply:
    """Ascending by id. What is missing or hidden is absent; `issueErrors` may be retried."""
    body = call.json(*BULK_BODY)
    refs = listed(body.get("issueIdsOrKeys"), "issueIdsOrKeys")
    if not refs:
        raise Refusal(400, "No issue IDs or keys were provided.")
    if len(refs) > BULK_ISSUES:
        raise Refusal(400, f"The number of issues to fetch must not exceed {BULK_ISSUES}.")
    names = listed(body.get("fields"), "fields")
    fields, without = chosen(call, names, frozenset({"*navigable"}))
    with_changelog = "changelog" in listed(body.get("expand"), "expand")
    view = call.view()
    shown, errors = [], []
    for issue in _visible(call, refs):
        if call.fail_issues and (call.issue_errors is None or str(issue.id) in call.issue_errors):
            errors.append({"id": str(issue.id), "errorMessage": "The issue could not be fetched."})
            continue
        made = view.issue(issue, fields, without)
        if with_changelog:
            made["changelog"] = changelog(view, issue, BULK_HISTORIES)
        shown.append(made)
    return ok({"issues": shown, "issueErrors": errors})


def changelog(view: View, issue: Issue, most: int) -> Json:
    """PageOfChangelogs: Cloud cuts at `most`, newest first; Data Center gives all, oldest first.

    `total` says how many there are, so that a reader can see the cut.
    """
    entries = issue.history
    if view.site.flavour == "cloud":
        entries = entries[: -most - 1 : -1]
    return {
        "startAt": 0,
        "maxResults": len(entries),
        "total": len(issue.history),
        "histories": [view.history(entry) for entry in entries],
    }


def read_changelog(call: Call) -> Reply:
    """Oldest first, at most 100 a page."""
    issue = call.issue()
    start, most = call.number("startAt", 0), min(call.number("maxResults", 100), 100)
    if start < 0 or most < 0:
        raise Refusal(400, "startAt and maxResults must not be negative.")
    view = call.view()
    page = issue.history[start : start + most]
    last = start + len(page) >= len(issue.history)
    where = f"{view.rest}/issue/{issue.key}/changelog"
    made: Json = {
        "self": f"{where}?maxResults={most}&startAt={start}",
        "maxResults": most,
        "startAt": start,
        "total": len(issue.history),
        "isLast": last,
        "values": [view.history(entry) for entry in page],
    }
    if not last:
        made["nextPage"] = f"{where}?maxResults={most}&startAt={start + len(page)}"
    return ok(made)


def changelog_bulkfetch(call: Call) -> Reply:
    """Oldest first within an issue; `fieldIds` selects items, and Link items have no id."""
    body = call.json("issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken")
    refs = listed(body.get("issueIdsOrKeys"), "issueIdsOrKeys")
    wanted = listed(body.get("fieldIds"), "fieldIds")
    if not refs or len(refs) > BULK_CHANGELOG_ISSUES or len(wanted) > 10:
        raise Refusal(400, "Between 1 and 1000 issues and at most 10 field ids can be given.")
    most = body.get("maxResults", 1000)
    if not isinstance(most, int) or not 1 <= most <= 10_000:
        raise Refusal(400, "maxResults must be between 1 and 10000.")
    view = call.view()
    flat = [
        (issue.id, view.history(entry))
        for issue in _visible(call, refs)
        for entry in issue.history
        if not wanted or any(item.field_id in wanted for item in entry.items)
    ]
    key = page_key("changelog", *sorted(refs), *wanted)
    start = page_start(body.get("nextPageToken"), key)
    grouped: dict[int, list[Json]] = {}
    for number, entry in flat[start : start + most]:
        if wanted:
            entry["items"] = [item for item in entry["items"] if item.get("fieldId") in wanted]
        grouped.setdefault(number, []).append(entry)
    made: Json = {
        "issueChangeLogs": [
            {"issueId": str(number), "changeHistories": entries}
            for number, entries in grouped.items()
        ]
    }
    if start + most < len(flat):
        made["nextPageToken"] = page_token(start + most, key)
    return ok(made)


def create(call: Call) -> Reply:
    user, body = call.signed_in(), call.json()
    fields = body.get("fields")
    if not isinstance(fields, dict):
        raise Refusal(400, errors={"fields": "fields is required"})
    given = fields.get("project") or {}
    project = call.site.project(str(given.get("key") or given.get("id") or ""))
    if project is None or not call.site.can(user, "CREATE_ISSUES", project):
        raise Refusal(400, errors={"project": "Specify a valid project ID or key"})
    summary = fields.get("summary")
    if not isinstance(summary, str) or not summary:
        raise Refusal(400, errors={"summary": "You must specify a summary of the issue."})
    issue = issues.create(
        call.site,
        user,
        project,
        summary,
        description=plain(call, fields.get("description"), "description"),
        issuetype=str((fields.get("issuetype") or {}).get("name") or "Task"),
        custom={name: fields[name] for name in fields if name in call.site.custom_fields},
    )
    where = f"{call.view().rest}/issue/{issue.id}"
    return ok({"id": str(issue.id), "key": issue.key, "self": where}, 201)


def edit(call: Call) -> Reply:
    user, body, issue = call.signed_in(), call.json(), call.issue()
    if not call.site.can(user, "EDIT_ISSUES", call.site.projects[issue.project]):
        raise Refusal(403, "You do not have permission to edit issues in this project.")
    if issue.archived:
        raise Refusal(400, f"The issue '{issue.key}' is archived and cannot be edited.")
    values = _values(call, body.get("fields") or {})
    call.site.limits.write((issue.id,))
    for operation in (body.get("update") or {}).get("issuelinks") or ():
        links.from_update(call, issue, operation)
    issues.edit(call.site, user, issue, values)
    if call.text("returnIssue") == "true":
        return ok(call.view().issue(issue, None, frozenset()))
    return empty(204)


def remove(call: Call) -> Reply:
    user, issue = call.signed_in(), call.issue()
    if not call.site.can(user, "DELETE_ISSUES", call.site.projects[issue.project]):
        raise Refusal(403, "You do not have permission to delete issues in this project.")
    issues.delete(call.site, user, issue, request=call.request)
    return empty(204)


def page_key(*parts: str) -> str:
    """Binds a page token to its query."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def page_token(start: int, key: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([start, key])).decode()


def page_start(token: Any, key: str) -> int:
    """Where a token points; 400 for tokens of other queries."""
    if not token:
        return 0
    try:
        start, bound = orjson.loads(base64.urlsafe_b64decode(str(token)))
    except ValueError:
        start, bound = 0, None
    if bound != key:
        raise Refusal(400, "The provided next page token is invalid.")
    return int(start)


def _visible(call: Call, refs: list[str]) -> list[Issue]:
    found = {
        issue.id: issue
        for ref in refs
        if (issue := call.site.find(ref)) is not None and call.site.can_browse(call.user, issue)
    }
    return [found[number] for number in sorted(found)]


def _values(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name in call.site.custom_fields or name in ("summary", "labels"):
            values[name] = value
        elif name == "description":
            values[name] = plain(call, value, name)
        elif name in ("priority", "issuetype") and isinstance(value, dict):
            values[name] = str(value.get("name"))
        else:
            text = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            raise Refusal(400, errors={name: text})
    return values
