"""Issue properties, remote links, and the admin webhook resource."""

from __future__ import annotations

from typing import Any

import orjson

from app.sandbox.model import Refusal
from app.sandbox.outbox import Webhook
from app.sandbox.render import Json
from app.sandbox.times import stamp
from app.sandbox.wire import Call, Reply, empty, ok

EVENTS = frozenset(
    {
        "jira:issue_created",
        "jira:issue_updated",
        "jira:issue_deleted",
        "issuelink_created",
        "issuelink_deleted",
        "comment_created",
        "comment_updated",
        "comment_deleted",
        "project_archived",
        "project_deleted",
    }
)
PROPERTY_LIMIT = 32_768
ISSUE_FILTER = "issue-related-events-section"


def property_keys(call: Call) -> Reply:
    issue, view = call.issue(), call.view()
    where = f"{view.rest}/issue/{issue.key}/properties"
    return ok({"keys": [{"key": key, "self": f"{where}/{key}"} for key in issue.properties]})


def read_property(call: Call) -> Reply:
    issue, key = call.issue(), call.args[1]
    if key not in issue.properties:
        raise Refusal(404, f"The property '{key}' does not exist.")
    return ok({"key": key, "value": issue.properties[key]})


def write_property(call: Call) -> Reply:
    """201 new, 200 updated; any JSON value of at most 32,768 characters."""
    user, issue, key = call.signed_in(), call.issue(), call.args[1]
    if not call.site.can(user, "EDIT_ISSUES", call.site.projects[issue.project]):
        raise Refusal(403, "You do not have permission to edit issues in this project.")
    if not call.body or len(call.body) > PROPERTY_LIMIT or len(key) > 255:
        raise Refusal(400, "The property key or value is not valid.")
    try:
        value = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        raise Refusal(400, "The property value has to be valid JSON.") from None
    fresh = key not in issue.properties
    issue.properties[key] = value
    return empty(201 if fresh else 200)


def remove_property(call: Call) -> Reply:
    user, issue, key = call.signed_in(), call.issue(), call.args[1]
    can_edit = call.site.can(user, "EDIT_ISSUES", call.site.projects[issue.project])
    if key not in issue.properties or not can_edit:
        raise Refusal(404, f"The property '{key}' does not exist.")
    del issue.properties[key]
    return empty(204)


def remote_links(call: Call) -> Reply:
    """A list, or one object when `globalId` is asked for."""
    issue, view, wanted = call.issue(), call.view(), call.text("globalId")
    where = f"{view.rest}/issue/{issue.key}/remotelink"
    shown = [
        {"id": number, "self": f"{where}/{number}", **entry}
        for number, entry in issue.remotes.items()
        if not wanted or entry.get("globalId") == wanted
    ]
    if not wanted:
        return ok(shown)
    if not shown:
        raise Refusal(404, "The remote issue link does not exist.")
    return ok(shown[0])


def write_remote_link(call: Call) -> Reply:
    """The same `globalId` is updated (200), omitted fields become null; else created (201)."""
    user, issue, body = call.signed_in(), call.issue(), call.json()
    if not call.site.can(user, "LINK_ISSUES", call.site.projects[issue.project]):
        raise Refusal(403, "No Link Issue Permission.")
    given = body.get("object")
    if not isinstance(given, dict) or not given.get("url") or not given.get("title"):
        raise Refusal(400, errors={"object": "A url and a title are needed."})
    entry = {
        name: body[name]
        for name in ("globalId", "application", "relationship", "object")
        if body.get(name) is not None
    }
    same = [
        number
        for number, one in issue.remotes.items()
        if entry.get("globalId") and one.get("globalId") == entry["globalId"]
    ]
    number = same[0] if same else call.site.next_id("remote")
    issue.remotes[number] = entry
    where = f"{call.view().rest}/issue/{issue.key}/remotelink/{number}"
    return ok({"id": number, "self": where}, 200 if same else 201)


def remove_remote_link(call: Call) -> Reply:
    call.signed_in()
    issue, wanted = call.issue(), call.text("globalId")
    if not wanted:
        raise Refusal(400, "A global id is needed.")
    same = [number for number, one in issue.remotes.items() if one.get("globalId") == wanted]
    if not same:
        raise Refusal(404, "The remote issue link does not exist.")
    del issue.remotes[same[0]]
    return empty(204)


def dynamic_webhooks(call: Call) -> Reply:
    """Not for users: and it knows no issuelink events anyway."""
    call.signed_in()
    raise Refusal(403, "Only Connect and OAuth 2.0 apps can use this operation.")


def webhooks(call: Call) -> Reply:
    call.admin()
    return ok([_shown(call, hook) for hook in call.site.webhooks.values()])


def read_webhook(call: Call) -> Reply:
    call.admin()
    return ok(_shown(call, _webhook(call)))


def create_webhook(call: Call) -> Reply:
    """The secret is taken and never shown again; `isSigned` says that there is one."""
    user, body = call.admin(), call.json()
    url, events, filters = body.get("url"), body.get("events"), body.get("filters") or {}
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise Refusal(400, errors={"url": "The URL is not valid."})
    if not isinstance(events, list) or not events or not set(events) <= EVENTS:
        raise Refusal(400, errors={"events": "At least one known event is needed."})
    secret = body.get("secret") or (body.get("configuration") or {}).get("SECRET")
    hook = Webhook(
        id=call.site.next_id("webhook"),
        name=str(body.get("name") or url),
        url=url,
        events=tuple(events),
        secret=secret,
        jql=filters.get(ISSUE_FILTER) or None,
        exclude_body=bool(body.get("excludeBody", False)),
        enabled=bool(body.get("enabled", True)),
        updated=call.site.now(),
        updated_by=user.name,
    )
    call.site.webhooks[hook.id] = hook
    return ok(_shown(call, hook), 201)


def update_webhook(call: Call) -> Reply:
    """Only what is named changes."""
    user, body = call.admin(), call.json()
    hook = _webhook(call)
    values: dict[str, Any] = {"name": body.get("name"), "url": body.get("url")}
    for name, value in values.items():
        if value is not None:
            setattr(hook, name, str(value))
    if body.get("events"):
        hook.events = tuple(body["events"])
    if body.get("secret"):
        hook.secret = str(body["secret"])
    hook.enabled = bool(body.get("enabled", hook.enabled))
    hook.updated, hook.updated_by = call.site.now(), user.name
    return ok(_shown(call, hook))


def remove_webhook(call: Call) -> Reply:
    call.admin()
    del call.site.webhooks[_webhook(call).id]
    return empty(204)


def _webhook(call: Call) -> Webhook:
    number = call.args[0]
    hook = call.site.webhooks.get(int(number)) if number.isdigit() else None
    if hook is None:
        raise Refusal(404, f"The webhook '{number}' does not exist.")
    return hook


def _shown(call: Call, hook: Webhook) -> Json:
    user = call.site.users.get(hook.updated_by)
    made: Json = {
        "name": hook.name,
        "url": hook.url,
        "excludeBody": hook.exclude_body,
        "filters": {ISSUE_FILTER: hook.jql or ""},
        "events": list(hook.events),
        "enabled": hook.enabled,
        "isSigned": hook.secret is not None,
        "self": f"{call.base}/rest/webhooks/1.0/webhook/{hook.id}",
        "lastUpdatedDisplayName": "" if user is None else user.display_name,
        "lastUpdated": hook.updated,
    }
    made["lastUpdatedUser"] = None if user is None else user.account_id
    if call.site.flavour == "datacenter":
        made |= {"lastUpdatedUser": hook.updated_by, "lastUpdated": stamp(hook.updated, "Etc/UTC")}
    return made
