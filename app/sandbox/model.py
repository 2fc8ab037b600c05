"""The data of a site. Ids are integers here; REST writes them as strings, link events do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Flavour = Literal["cloud", "datacenter"]
Permission = Literal[
    "BROWSE_PROJECTS",
    "LINK_ISSUES",
    "EDIT_ISSUES",
    "CREATE_ISSUES",
    "DELETE_ISSUES",
    "MOVE_ISSUES",
    "ADD_COMMENTS",
]
PROJECT_PERMISSIONS: tuple[Permission, ...] = (
    "BROWSE_PROJECTS",
    "LINK_ISSUES",
    "EDIT_ISSUES",
    "CREATE_ISSUES",
    "DELETE_ISSUES",
    "MOVE_ISSUES",
    "ADD_COMMENTS",
)


class Refusal(Exception):
    """Jira says no: the status and the words of its ErrorCollection."""

    def __init__(self, status: int, *messages: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(status, messages)
        self.status = status
        self.messages = list(messages)
        self.errors = errors or {}


@dataclass(slots=True)
class User:
    """`name` is the log-in name (DC) and the handle used in tests, `account_id` is Cloud's."""

    name: str
    account_id: str
    key: str
    display_name: str
    email: str
    admin: bool = False
    active: bool = True
    time_zone: str = "Etc/UTC"
    account_type: str = "atlassian"


@dataclass(slots=True)
class Project:
    """`public` lets anonymous callers browse. No account sees the issues of an archived project."""

    id: int
    key: str
    name: str
    archived: bool = False
    public: bool = False
    last_number: int = 0
    issues: dict[int, None] = field(default_factory=dict)


@dataclass(slots=True)
class LinkType:
    """`source` *outward* `destination`: "A blocks B". System types never show in REST."""

    id: int
    name: str
    inward: str
    outward: str
    system: bool = False
    subtask: bool = False

    @property
    def symmetric(self) -> bool:
        return self.inward == self.outward


@dataclass(slots=True)
class Link:
    """Issue ids, never keys: a move leaves it as it is. `created` in milliseconds."""

    id: int
    type_id: int
    source: int
    destination: int
    created: int


@dataclass(slots=True)
class ChangeItem:
    """One line of the changelog. Link items carry keys as they were then, and localised text."""

    field: str
    fieldtype: str = "jira"
    field_id: str | None = None
    before: str | None = None
    before_text: str | None = None
    after: str | None = None
    after_text: str | None = None


@dataclass(slots=True)
class History:
    """One entry of the changelog; `author` is a user name, `at` milliseconds."""

    id: int
    author: str
    at: int
    items: tuple[ChangeItem, ...]


@dataclass(slots=True)
class Comment:
    """Human text: present so that tests can look for it where it must not be."""

    id: int
    author: str
    body: str
    at: int


@dataclass(slots=True)
class CustomField:
    """`id` is `customfield_<number>`; the number differs per site."""

    number: int
    name: str
    kind: str = "com.atlassian.jira.plugin.system.customfieldtypes:textfield"

    @property
    def id(self) -> str:
        return f"customfield_{self.number}"


@dataclass(slots=True)
class Issue:
    """`earlier` are the last times of an update before `updated`: a lagging index knows one."""

    id: int
    project: int
    key: str
    summary: str
    description: str
    reporter: str
    created: int
    updated: int
    earlier: tuple[int, ...] = ()
    issuetype: str = "Task"
    status: str = "To Do"
    priority: str = "Medium"
    archived: bool = False
    archived_by: str | None = None
    archived_at: int = 0
    assignee: str | None = None
    labels: tuple[str, ...] = ()
    hidden_from: frozenset[str] = frozenset()
    comments: tuple[Comment, ...] = ()
    links: dict[int, None] = field(default_factory=dict)
    history: list[History] = field(default_factory=list)
    custom: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    remotes: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Credential:
    """`scoped` tokens work at the gateway only. `expired` ones, and those after `ends` (seconds),
    answer as `on_failure` says. The secret of an OAuth 2.0 `client` only gets tokens.

    A real Cloud site may take an expired token for no token at all and answer 200 as anonymous.
    """

    secret: str
    user: str
    kind: Literal["api_token", "pat", "scoped", "client"]
    scopes: frozenset[str] = frozenset()
    expired: bool = False
    ends: float | None = None
    client: str | None = None
    on_failure: Literal["anonymous", "unauthorized"] = "anonymous"
