"""Webhook bodies in the shapes that real sites were seen to send, put into the outbox.

Link events: integer ids, no user, no keys, no project. Issue events: the full issue, human fields
and `issuelinks` included, in REST version 2 form.
"""

from __future__ import annotations

from typing import Any

import orjson

from app.sandbox import render
from app.sandbox.jql import query
from app.sandbox.model import Comment, History, Issue, Link, LinkType, User
from app.sandbox.outbox import Flow, Webhook
from app.sandbox.site import JiraSite


def link(site: JiraSite, event: str, made: Link, type_: LinkType, flow: Flow = "Primary") -> None:
    """`issuelink_created` or `issuelink_deleted`; never filtered by JQL."""
    receivers = _receivers(site, event)
    if not receivers:
        return
    kind: dict[str, Any] = {
        "id": type_.id,
        "name": type_.name,
        "outwardName": type_.outward,
        "inwardName": type_.inward,
        "isSubTaskLinkType": type_.subtask,
        "isSystemLinkType": type_.system,
    }
    if type_.system:
        kind["style"] = "jira_subtask" if type_.subtask else "jira_gh_epic_story"
    body = {
        "timestamp": site.now(),
        "webhookEvent": event,
        "issueLink": {
            "id": made.id,
            "sourceIssueId": made.source,
            "destinationIssueId": made.destination,
            "issueLinkType": kind,
            "systemLink": type_.system,
        },
    }
    _send(site, receivers, event, body, flow)


def issue(
    site: JiraSite,
    event: str,
    kind: str,
    actor: User,
    made: Issue,
    *,
    change: History | None = None,
) -> None:
    """`jira:issue_*`; the changelog only on updates that have one."""
    receivers = [
        hook
        for hook in _receivers(site, event)
        if not hook.jql or query.parse(hook.jql).takes(site, made)
    ]
    if not receivers:
        return
    body: dict[str, Any] = {"timestamp": site.now(), "webhookEvent": event}
    if event != "jira:issue_deleted":
        body["issue_event_type_name"] = kind
    body["user"] = render.event_user(site, actor)
    body["issue"] = render.event_issue(site, made)
    if change is not None:
        items = [render.change_item(item) for item in change.items]
        body["changelog"] = {"id": str(change.id), "items": items}
    _send(site, receivers, event, body)


def comment(site: JiraSite, event: str, actor: User, made: Issue, entry: Comment) -> None:
    """`comment_*`: a short issue without `issuelinks`."""
    receivers = _receivers(site, event)
    if not receivers:
        return
    body = {
        "timestamp": site.now(),
        "webhookEvent": event,
        "comment": {
            "self": f"{site.base_url}/rest/api/2/issue/{made.id}/comment/{entry.id}",
            "id": str(entry.id),
            "author": render.event_user(site, actor),
            "body": entry.body,
        },
        "issue": {
            "id": str(made.id),
            "self": f"{site.base_url}/rest/api/2/{made.id}",
            "key": made.key,
            "fields": {"summary": made.summary},
        },
    }
    _send(site, receivers, event, body)


def _receivers(site: JiraSite, event: str) -> list[Webhook]:
    return [hook for hook in site.webhooks.values() if hook.enabled and event in hook.events]


def _send(
    site: JiraSite,
    receivers: list[Webhook],
    event: str,
    body: dict[str, Any],
    flow: Flow = "Primary",
) -> None:
    raw = orjson.dumps(body)
    for hook in receivers:
        site.outbox.push(hook, event, b"" if hook.exclude_body else raw, flow)
