"""What each issue field looks like: the table behind `fields` in REST and in webhook bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.sandbox.model import Issue
from app.sandbox.view import Json, View

NAVIGABLE_NOT = frozenset({"comment", "worklog", "attachment", "issuerestriction"})
Getter = Callable[[View, Issue], Any]


def _nothing(_view: View, _issue: Issue) -> None:
    return None


def _empty(_view: View, _issue: Issue) -> list[Json]:
    return []


def _progress(_view: View, _issue: Issue) -> Json:
    return {"progress": 0, "total": 0}


def _comments(view: View, made: Issue) -> Json:
    shown = [
        {
            "self": f"{view.rest}/issue/{made.id}/comment/{entry.id}",
            "id": str(entry.id),
            "author": view.person(entry.author),
            "body": view.rich(entry.body),
            "created": view.time(entry.at),
        }
        for entry in made.comments
    ]
    return {"comments": shown, "maxResults": len(shown), "total": len(shown), "startAt": 0}


FIELD: dict[str, Getter] = {
    "statuscategorychangedate": lambda view, made: view.time(made.created),
    "issuetype": lambda view, made: view.issuetype(made.issuetype),
    "timespent": _nothing,
    "project": lambda view, made: view.project(view.site.projects[made.project]),
    "fixVersions": _empty,
    "aggregatetimespent": _nothing,
    "resolution": _nothing,
    "resolutiondate": _nothing,
    "workratio": lambda _view, _made: -1,
    "issuerestriction": lambda _view, _made: {"issuerestrictions": {}, "shouldDisplay": False},
    "lastViewed": _nothing,
    "watches": lambda view, made: {
        "self": f"{view.rest}/issue/{made.key}/watchers",
        "watchCount": 1,
        "isWatching": True,
    },
    "created": lambda view, made: view.time(made.created),
    "priority": lambda view, made: view.priority(made.priority),
    "labels": lambda _view, made: list(made.labels),
    "aggregatetimeoriginalestimate": _nothing,
    "timeestimate": _nothing,
    "versions": _empty,
    "issuelinks": lambda view, made: view.issuelinks(made),
    "assignee": lambda view, made: view.person(made.assignee),
    "updated": lambda view, made: view.time(made.updated),
    "status": lambda view, made: view.status(made.status),
    "components": _empty,
    "timeoriginalestimate": _nothing,
    "description": lambda view, made: view.rich(made.description),
    "timetracking": lambda _view, _made: {},
    "security": _nothing,
    "attachment": _empty,
    "aggregatetimeestimate": _nothing,
    "summary": lambda _view, made: made.summary,
    "creator": lambda view, made: view.person(made.reporter),
    "subtasks": _empty,
    "reporter": lambda view, made: view.person(made.reporter),
    "aggregateprogress": _progress,
    "environment": _nothing,
    "duedate": _nothing,
    "progress": _progress,
    "votes": lambda view, made: {
        "self": f"{view.rest}/issue/{made.key}/votes",
        "votes": 0,
        "hasVoted": False,
    },
    "comment": _comments,
    "worklog": lambda _view, _made: {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []},
}
HIDDEN_FIELD: dict[str, Getter] = {
    "archivedby": lambda view, made: view.person(made.archived_by),
    "archiveddate": lambda view, made: view.time(made.archived_at) if made.archived else None,
}
NAVIGABLE = frozenset(FIELD) - NAVIGABLE_NOT
