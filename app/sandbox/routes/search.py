"""Search: Cloud's search/jql with page tokens, and the older search with startAt (Data Center)."""

from __future__ import annotations

from typing import Any

from app.sandbox.jql import query as jql_query
from app.sandbox.model import Issue, Refusal
from app.sandbox.render import Json, View
from app.sandbox.routes.issues import changelog, page_key, page_start, page_token
from app.sandbox.wire import Call, Reply, chosen, listed, ok

IDS_PAGE = 5000
FIELDS_PAGE = 100
SERVER_PAGE = 1000
RECONCILED = 50
TOKEN_BODY = (
    "jql", "fields", "fieldsByKeys", "expand", "maxResults", "nextPageToken", "properties",
    "reconcileIssues",
)  # fmt: skip
OFFSET_BODY = ("jql", "fields", "expand", "startAt", "maxResults", "validateQuery")
UNBOUNDED = (
    "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
)
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full "
    "migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


def by_token(call: Call) -> Reply:
    """Bounded JQL only; `fields` defaults to id; no total; big pages only for ids and keys."""
    given = _parameters(call, TOKEN_BODY)
    query = jql_query.parse(str(given.get("jql") or ""))
    if query.where is None:
        raise Refusal(400, UNBOUNDED)
    _complain(call, query)
    names = listed(given.get("fields"), "fields") or ["id"]
    bare = set(names) <= {"id", "key"}
    most = min(_whole(given.get("maxResults"), 50), IDS_PAGE if bare else FIELDS_PAGE)
    found = query.run(call.site, call.user, _reconciled(given))
    key = page_key(str(given.get("jql")), *sorted(names))
    start = page_start(given.get("nextPageToken"), key)
    page = found[start : start + most]
    expand = given.get("expand") or ""  # text here, a list in bulkfetch
    if not isinstance(expand, str):
        raise Refusal(400, "Invalid request payload. Refer to the REST API.")
    made: Json = {"issues": _shown(call, page, names, expand.split(","))}
    made["isLast"] = start + most >= len(found)
    if not made["isLast"]:
        made["nextPageToken"] = page_token(start + most, key)
    return ok(made)


def by_offset(call: Call) -> Reply:
    """Data Center's search; gone from Cloud. Unknown ids spoil the whole query, unless
    `validateQuery` says otherwise: a boolean to some versions, strict, warn or none to others.
    """
    if call.site.flavour == "cloud" and call.site.quirks.old_search_gone:
        raise Refusal(410, REMOVED)
    given = _parameters(call, OFFSET_BODY)
    query = jql_query.parse(str(given.get("jql") or ""))
    validate = str(given.get("validateQuery", "strict")).lower()
    warnings = []
    if validate in ("warn", "none", "false"):
        warnings = query.missing(call.site, call.user) if validate == "warn" else []
    else:
        _complain(call, query)
    start = _whole(given.get("startAt"), 0)
    most = min(_whole(given.get("maxResults"), 50), SERVER_PAGE)
    found = query.run(call.site, call.user)
    names = listed(given.get("fields"), "fields") or ["*navigable"]
    expand = listed(given.get("expand"), "expand") if call.body else call.names("expand")
    made: Json = {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": most,
        "total": len(found),
        "issues": _shown(call, found[start : start + most], names, expand),
    }
    if warnings:
        made["warningMessages"] = warnings
    return ok(made)


def count(call: Call) -> Reply:
    query = jql_query.parse(str(call.json().get("jql") or ""))
    if query.where is None:
        raise Refusal(400, UNBOUNDED)
    return ok({"count": len(query.run(call.site, call.user))})


def _complain(call: Call, query: jql_query.Query) -> None:
    """Anonymous callers get an empty 200 instead of an error, which is the trap."""
    if call.user is None or not call.site.quirks.strict_ids_in_jql:
        return
    missing = query.missing(call.site, call.user)
    if missing:
        raise Refusal(400, *missing)


def _parameters(call: Call, known: tuple[str, ...]) -> dict[str, Any]:
    """From the body, which knows no strange fields, or from the query, which ignores them."""
    if call.body:
        return call.json(*known)
    made: dict[str, Any] = {name: values[-1] for name, values in call.query.items()}
    for name in ("fields", "reconcileIssues"):
        if name in made:
            made[name] = call.names(name)
    return made


def _reconciled(given: dict[str, Any]) -> frozenset[int]:
    """Ids for which search must not lag; at most 50."""
    numbers = listed(given.get("reconcileIssues"), "reconcileIssues")
    if len(numbers) > RECONCILED or not all(number.isdigit() for number in numbers):
        raise Refusal(400, f"reconcileIssues takes at most {RECONCILED} issue ids.")
    return frozenset(int(number) for number in numbers)


def _whole(value: Any, default: int) -> int:
    try:
        made = default if value is None else int(value)
    except (TypeError, ValueError):
        raise Refusal(400, f"'{value}' is not a number.") from None
    if made < 0:
        raise Refusal(400, f"'{value}' must not be negative.")
    return made


def _shown(call: Call, page: list[Issue], names: list[str], expand: list[str]) -> list[Json]:
    if set(names) == {"id"} and call.site.flavour == "cloud":
        return [{"id": str(issue.id)} for issue in page]
    fields, without = chosen(call, names, None)
    view: View = call.view()
    shown = []
    for issue in page:
        made = view.issue(issue, fields, without)
        if not made["fields"]:
            del made["fields"]
        if "changelog" in expand:
            made["changelog"] = changelog(view, issue, 100)
        shown.append(made)
    return shown
