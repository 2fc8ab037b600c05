"""How things look over REST and in webhook bodies: Cloud or Data Center, version 2 or 3.

A `View` is what one caller sees: times in their zone, links only where they may browse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.sandbox import visibility
from app.sandbox.fields import FIELD, HIDDEN_FIELD
from app.sandbox.model import ChangeItem, History, Issue, Link, LinkType, Project, User
from app.sandbox.site import JiraSite
from app.sandbox.times import stamp

Json = dict[str, Any]
EXPANDABLE = "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations"
STATUS_CATEGORY = {
    "To Do": (2, "new", "blue-gray", "To Do"),
    "In Progress": (4, "indeterminate", "yellow", "In Progress"),
    "Done": (3, "done", "green", "Done"),
}


@dataclass
class View:
    """`base` starts every `self`, `api` is "2" or "3", `everything` ignores permissions."""

    site: JiraSite
    user: User | None
    api: str = "2"
    base: str = ""
    everything: bool = False

    def __post_init__(self) -> None:
        self.base = self.base or self.site.base_url
        self._parts: dict[tuple[str, str], Json] = {}
        self._authors: dict[str, Json | None] = {}
        self.rest: str = f"{self.base}/rest/api/{self.api}"
        self.zone: str = "Etc/UTC" if self.user is None else self.user.time_zone

    def time(self, at: int) -> str:
        return stamp(at, self.zone)

    # -- people

    def person(self, name: str | None, *, email: bool = True) -> Json | None:
        """UserDetails; Data Center has names and keys, Cloud account ids."""
        user = None if name is None else self.site.users.get(name)
        if user is None:
            return None
        made: Json
        if self.site.flavour == "datacenter":
            made = {
                "self": f"{self.rest}/user?username={user.name}",
                "name": user.name,
                "key": user.key,
            }
        else:
            made = {
                "self": f"{self.rest}/user?accountId={user.account_id}",
                "accountId": user.account_id,
            }
        if email:
            made["emailAddress"] = user.email
        made |= {
            "avatarUrls": {},
            "displayName": user.display_name,
            "active": user.active,
            "timeZone": user.time_zone,
        }
        if self.site.flavour == "cloud":
            made["accountType"] = user.account_type
        return made

    # -- links

    def type(self, made: LinkType) -> Json:
        return {
            "id": str(made.id),
            "name": made.name,
            "inward": made.inward,
            "outward": made.outward,
            "self": f"{self.rest}/issueLinkType/{made.id}",
        }

    @cached_property
    def _types(self) -> dict[int, Json]:
        return {made.id: self.type(made) for made in self.site.types.values()}

    def linked(self, issue: Issue) -> Json:
        """The other end of a link: id, key and the human fields that come with it."""
        return {
            "id": str(issue.id),
            "key": issue.key,
            "self": f"{self.rest}/issue/{issue.id}",
            "fields": {
                "summary": issue.summary,
                "status": self.status(issue.status),
                "priority": self.priority(issue.priority),
                "issuetype": self.issuetype(issue.issuetype),
            },
        }

    def link(self, made: Link) -> Json:
        """GET issueLink: `inwardIssue` is the source, `outwardIssue` the destination."""
        return {
            "id": str(made.id),
            "self": f"{self.rest}/issueLink/{made.id}",
            "type": self._types[made.type_id],
            "inwardIssue": self.linked(self.site.issues[made.source]),
            "outwardIssue": self.linked(self.site.issues[made.destination]),
        }

    def issuelinks(self, issue: Issue) -> list[Json]:
        """`fields.issuelinks`: each entry has the other end only."""
        shown = (
            visibility.unfiltered(self.site, issue)
            if self.everything
            else visibility.shown(self.site, self.user, issue)
        )
        return [self._entry(made, issue) for made in shown]

    def _entry(self, made: Link, issue: Issue) -> Json:
        outward = made.source == issue.id
        other = self.site.issues[made.destination if outward else made.source]
        return {
            "id": str(made.id),
            "self": f"{self.rest}/issueLink/{made.id}",
            "type": self._types[made.type_id],
            "outwardIssue" if outward else "inwardIssue": self.linked(other),
        }

    # -- small parts

    def status(self, name: str) -> Json:
        return self._once("status", name, self._status)

    def priority(self, name: str) -> Json:
        return self._once("priority", name, self._priority)

    def issuetype(self, name: str) -> Json:
        return self._once("issuetype", name, self._issuetype)

    def _once(self, kind: str, name: str, make: Callable[[str], Json]) -> Json:
        """The same part recurs in every linked issue of an answer."""
        made = self._parts.get((kind, name))
        if made is None:
            made = self._parts[kind, name] = make(name)
        return made

    def _status(self, name: str) -> Json:
        known = {label: index for index, label in enumerate(STATUS_CATEGORY)}
        number, key, color, shown = STATUS_CATEGORY.get(name, STATUS_CATEGORY["To Do"])
        return {
            "self": f"{self.rest}/status/{10004 + known.get(name, 9)}",
            "description": "",
            "iconUrl": f"{self.base}/",
            "name": name,
            "id": str(10004 + known.get(name, 9)),
            "statusCategory": {
                "self": f"{self.rest}/statuscategory/{number}",
                "id": number,
                "key": key,
                "colorName": color,
                "name": shown,
            },
        }

    def _priority(self, name: str) -> Json:
        number = {"Highest": "1", "High": "2", "Medium": "3", "Low": "4"}.get(name, "5")
        return {
            "self": f"{self.rest}/priority/{number}",
            "iconUrl": f"{self.base}/images/icons/priorities/{name.lower()}.svg",
            "name": name,
            "id": number,
        }

    def _issuetype(self, name: str) -> Json:
        number = {"Task": 10002, "Epic": 10000, "Story": 10001, "Bug": 10003}.get(name, 10009)
        return {
            "self": f"{self.rest}/issuetype/{number}",
            "id": str(number),
            "description": "",
            "iconUrl": f"{self.base}/secure/viewavatar?size=medium&avatarId=10318",
            "name": name,
            "subtask": False,
            "avatarId": 10318,
        }

    def project(self, made: Project) -> Json:
        avatar = f"{self.base}/secure/projectavatar?pid={made.id}&avatarId=10417"
        shown: Json = {
            "self": f"{self.rest}/project/{made.id}",
            "id": str(made.id),
            "key": made.key,
            "name": made.name,
            "projectTypeKey": "software",
        }
        if self.site.flavour == "cloud":
            shown["simplified"] = False
        shown["avatarUrls"] = {
            "48x48": avatar,
            "24x24": f"{avatar}&size=small",
            "16x16": f"{avatar}&size=xsmall",
            "32x32": f"{avatar}&size=medium",
        }
        if made.archived:
            shown["archived"] = True
        return shown

    def rich(self, text: str) -> str | Json | None:
        """Plain text up to version 2, an Atlassian document in version 3."""
        if not text:
            return None
        if self.api != "3":
            return text
        paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
        return {"type": "doc", "version": 1, "content": [paragraph]}

    # -- changelog

    def history(self, entry: History) -> Json:
        return {
            "id": str(entry.id),
            "author": self._author(entry.author),
            "created": self.time(entry.at),
            "items": [change_item(item) for item in entry.items],
        }

    def _author(self, name: str) -> Json | None:
        if name not in self._authors:
            self._authors[name] = self.person(name)
        return self._authors[name]

    # -- issues

    def issue(self, made: Issue, fields: frozenset[str] | None, without: frozenset[str]) -> Json:
        """An IssueBean; `fields` None means all of them."""
        return {
            "expand": EXPANDABLE,
            "id": str(made.id),
            "self": f"{self.rest}/issue/{made.id}",
            "key": made.key,
            "fields": self.fields(made, fields, without),
        }

    def fields(
        self, made: Issue, fields: frozenset[str] | None, without: frozenset[str] = frozenset()
    ) -> Json:
        """The chosen fields, computed only where chosen; unknown names are ignored."""
        names: list[str] | frozenset[str]
        if fields is None:
            names = [*FIELD, *self.site.custom_fields]
            if self.site.flavour == "datacenter" and made.archived:
                names += ["archivedby", "archiveddate"]
        else:
            names = fields
        shown: Json = {}
        for name in names:
            if name in without:
                continue
            getter = FIELD.get(name) or HIDDEN_FIELD.get(name)
            if getter is not None:
                shown[name] = getter(self, made)
            elif name in self.site.custom_fields:
                shown[name] = made.custom.get(name)
        return shown


def change_item(item: ChangeItem) -> Json:
    """`fieldId` only where Jira has one: Link items do not."""
    made: Json = {"field": item.field, "fieldtype": item.fieldtype}
    if item.field_id is not None:
        made["fieldId"] = item.field_id
    made |= {
        "from": item.before,
        "fromString": item.before_text,
        "to": item.after,
        "toString": item.after_text,
    }
    return made


def event_user(site: JiraSite, user: User) -> Json | None:
    """The actor of an issue event; Cloud leaves out the address."""
    return View(site, None).person(user.name, email=site.flavour == "datacenter")


def event_issue(site: JiraSite, made: Issue) -> Json:
    """The issue in a webhook body, which is for no particular reader and so has all links."""
    view = View(site, None, everything=True)
    return {
        "id": str(made.id),
        "self": f"{view.rest}/{made.id}",
        "key": made.key,
        "fields": view.fields(made, None),
    }
