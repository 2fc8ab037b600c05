"""issueLink and issueLinkType: no id from create, 404 that proves nothing, silent duplicates."""

from __future__ import annotations

from typing import Any

from app.sandbox import issues, links, visibility
from app.sandbox.model import Issue, LinkType, Refusal
from app.sandbox.wire import Call, Reply, empty, ok, plain

LINK_BODY = ("type", "inwardIssue", "outwardIssue", "comment")


def create(call: Call) -> Reply:
    """`inwardIssue` is the source: `{inward: A, outward: B, Blocks}` means A blocks B."""
    site, user, body = call.site, call.signed_in(), call.json(*LINK_BODY)
    source = _end(call, body, "inwardIssue")
    destination = _end(call, body, "outwardIssue")
    type_ = find_type(call, body.get("type"))
    links.check_create(site, user, source, destination)
    comment = _comment(call, body)
    links.check_limit(site, type_, source, destination)
    site.limits.write((source.id, destination.id))
    made, _ = links.create(site, user, type_, source, destination, request=call.request)
    if comment:
        issues.comment(site, user, destination, comment)
    reply = empty(201)
    if site.quirks.location_on_create:
        where = f"{call.base}/rest/api/{call.api}/issueLink/{made.id}"
        reply.headers.append((b"location", where.encode()))
    return reply


def read(call: Call) -> Reply:
    return ok(call.view().link(visibility.visible(call.site, call.user, call.args[0])))


def remove(call: Call) -> Reply:
    user = call.signed_in()
    link = visibility.visible(call.site, user, call.args[0])
    links.check_remove(call.site, user, link)
    call.site.limits.write((link.source, link.destination))
    links.remove(call.site, user, link, request=call.request)
    return empty(204)


def types(call: Call) -> Reply:
    """System types are not listed."""
    call.signed_in()
    view = call.view()
    shown = [view.type(made) for made in call.site.types.values() if not made.system]
    return ok({"issueLinkTypes": shown})


def read_type(call: Call) -> Reply:
    call.signed_in()
    return ok(call.view().type(find_type(call, {"id": call.args[0]})))


def create_type(call: Call) -> Reply:
    """Administrators only; a used name gives 404, as documented."""
    user, body = call.signed_in(), call.json()
    name = body.get("name")
    if not isinstance(name, str) or not body.get("inward") or not body.get("outward"):
        raise Refusal(400, "The issue link type needs a name, an inward and an outward text.")
    used = any(made.name.casefold() == name.casefold() for made in call.site.types.values())
    if used or not user.admin:
        raise Refusal(404, f"An issue link type with name '{name}' already exists.")
    made = call.site.add_link_type(name, body["outward"], body["inward"])
    return ok(call.view().type(made), 201)


def find_type(call: Call, given: Any) -> LinkType:
    """By id or name (any case); system types cannot be had."""
    if not isinstance(given, dict) or not (given.get("id") or given.get("name")):
        raise Refusal(400, errors={"type": "No issue link type was given."})
    by_id = given.get("id")
    for made in call.site.types.values():
        same = (
            str(made.id) == str(by_id)
            if by_id
            else made.name.casefold() == str(given["name"]).casefold()
        )
        if same and not made.system:
            return made
    what = f"id '{by_id}'" if by_id else f"name '{given['name']}'"
    raise Refusal(404, f"No issue link type with {what} found.")


def from_update(call: Call, issue: Issue, operation: dict[str, Any]) -> None:
    """`update.issuelinks[].add`: with `outwardIssue` the edited issue is the source."""
    given = operation.get("add")
    if not isinstance(given, dict):
        raise Refusal(400, errors={"issuelinks": "Only 'add' is supported for issue links."})
    user = call.signed_in()
    type_ = find_type(call, given.get("type"))
    if "outwardIssue" in given:
        source, destination = issue, _end(call, given, "outwardIssue")
    else:
        source, destination = _end(call, given, "inwardIssue"), issue
    links.check_create(call.site, user, source, destination)
    links.check_limit(call.site, type_, source, destination)
    links.create(call.site, user, type_, source, destination, request=call.request)


def _end(call: Call, body: dict[str, Any], name: str) -> Issue:
    given = body.get(name)
    if not isinstance(given, dict) or not (given.get("key") or given.get("id")):
        raise Refusal(400, errors={name: "An issue key or id is needed."})
    return call.site.seen(call.user, str(given.get("id") or given.get("key")))


def _comment(call: Call, body: dict[str, Any]) -> str:
    given = body.get("comment")
    if given is None:
        return ""
    if not isinstance(given, dict):
        raise Refusal(400, errors={"comment": "Comment is not valid."})
    text = plain(call, given.get("body"), "comment")
    if not text:
        raise Refusal(400, errors={"comment": "Comment body can not be empty!"})
    return text
