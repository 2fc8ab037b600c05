"""One Jira site in memory: state, permissions, identities. Deterministic for a seed and a clock.

What happens to issues and links is in `issues.py` and `links.py`; how it looks over REST is in
`render.py` and `routes/`.
"""

from __future__ import annotations

import copy
import hashlib
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.sandbox.clock import Clock, WallClock
from app.sandbox.faults import FaultPlan
from app.sandbox.limits import RateLimits
from app.sandbox.logbook import MutationLog, RequestLog
from app.sandbox.model import (
    Credential,
    CustomField,
    Flavour,
    Issue,
    Link,
    LinkType,
    Permission,
    Project,
    Refusal,
    User,
)
from app.sandbox.outbox import Outbox, Webhook

GONE = "Issue does not exist or you do not have permission to see it."


@dataclass(slots=True)
class Quirks:
    """Points where real sites differ or are not documented (see docs/jira.md).

    `node_skew`: by how many seconds at most the clock that dates an entry of a link's changelog
    is behind: each node of a Data Center has its own clock. `same_link_twice`: a create of a link
    that exists already makes another one beside it.
    """

    location_on_create: bool = False
    issue_event_on_link: bool = False
    strict_ids_in_jql: bool = True
    old_search_gone: bool = True
    create_needs_link_on_source: bool = False
    link_limit: int = 2000
    link_text: str = "This issue {wording} {key}"
    node_skew: float = 0.0
    same_link_twice: bool = False
    token_seconds: float = 3600.0


@dataclass(slots=True)
class Lag:
    """Seconds during which REST shows the past: new and removed links, and search."""

    links: float = 0.0
    search: float = 0.0


STATE = (
    "users",
    "projects",
    "project_keys",
    "types",
    "issues",
    "issue_keys",
    "moved_keys",
    "links",
    "triples",
    "ghosts",
    "custom_fields",
    "denied",
    "credentials",
    "mutations",
    "_next",
    "random",
)


class JiraSite:
    """`base_url` is set when the site is served; `public_url` overrides what REST says of it.

    `latency` delays every REST answer, in seconds of the site's clock.
    """

    def __init__(
        self,
        name: str,
        flavour: Flavour = "cloud",
        *,
        seed: int = 0,
        clock: Clock | None = None,
        public_url: str | None = None,
        context: str = "",
        quirks: Quirks | None = None,
        first_id: int = 10000,
    ) -> None:
        self.name = name
        self.flavour: Flavour = flavour
        self.seed = seed
        self.clock: Clock = clock or WallClock()
        self.random = random.Random(f"{name}/{seed}")  # noqa: S311 - seeded on purpose
        self.base_url = public_url or f"http://{name}.jira.invalid{context}"
        self.public_url = public_url
        self.context = context
        self.cloud_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{seed}.jira.invalid"))
        self.quirks = quirks or Quirks(create_needs_link_on_source=flavour == "datacenter")
        self.first_id = first_id
        self.lag = Lag()
        self.latency = 0.0
        self.users: dict[str, User] = {}
        self.projects: dict[int, Project] = {}
        self.project_keys: dict[str, int] = {}
        self.types: dict[int, LinkType] = {}
        self.issues: dict[int, Issue] = {}
        self.issue_keys: dict[str, int] = {}
        self.moved_keys: dict[str, int] = {}
        self.links: dict[int, Link] = {}
        self.triples: dict[tuple[int, int, int], int] = {}
        self.ghosts: dict[int, list[tuple[int, Link]]] = {}
        self.custom_fields: dict[str, CustomField] = {}
        self.denied: set[tuple[Permission, int, str]] = set()
        self.credentials: dict[str, Credential] = {}
        self.mutations = MutationLog()
        self._next: dict[str, int] = {}
        self.webhooks: dict[int, Webhook] = {}
        self.requests = RequestLog()
        self.faults = FaultPlan(self.random)
        self.limits = RateLimits(self.clock)
        self.outbox = Outbox(self.clock, self.random, flavour)

    # -- time and ids

    def use_clock(self, clock: Clock) -> None:
        """Use another clock, for the site and everything that belongs to it."""
        self.clock = self.outbox.clock = self.limits.clock = clock

    def now(self) -> int:
        """Milliseconds."""
        return int(self.clock.now() * 1000)

    def next_id(self, kind: str) -> int:
        """Ids per kind, ascending, starting at a number of this site's own."""
        value = self._next.get(kind, self.first_id)
        self._next[kind] = value + 1
        return value

    # -- people

    def add_user(
        self,
        name: str,
        display_name: str = "",
        *,
        admin: bool = False,
        time_zone: str = "Etc/UTC",
        email: str = "",
    ) -> User:
        number = self.next_id("user")
        digest = hashlib.sha256(f"{self.name}/{self.seed}/{name}".encode()).hexdigest()[:24]
        shown = display_name or name.title()
        user = User(
            name=name,
            account_id=digest,
            key=f"JIRAUSER{number}",
            display_name=shown,
            email=email or f"{name}@{self.name}.example",
            admin=admin,
            time_zone=time_zone,
            account_type="atlassian",
        )
        self.users[name] = user
        return user

    def user(self, name: str) -> User:
        return self.users[name]

    def add_token(
        self,
        user: str,
        *,
        scoped: bool = False,
        scopes: Iterable[str] = ("read:jira-work", "write:jira-work", "read:jira-user"),
    ) -> str:
        """A fresh secret: an API token (Cloud), a personal access token (DC), or a scoped token."""
        prefix = "ATSTT" if scoped else "ATATT" if self.flavour == "cloud" else "pat"
        secret = f"{prefix}{self.random.getrandbits(160):040x}"
        kind: Any = "scoped" if scoped else "api_token" if self.flavour == "cloud" else "pat"
        self.credentials[secret] = Credential(secret, user, kind, frozenset(scopes))
        return secret

    def add_client(self, user: str) -> tuple[str, str]:
        """OAuth 2.0 client credentials that get tokens of *user*: client id and secret."""
        name, secret = f"client-{self.next_id('client')}", f"ATOA{self.random.getrandbits(160):x}"
        self.credentials[secret] = Credential(secret, user, "client", client=name)
        return name, secret

    # -- configuration

    def add_project(self, key: str, name: str = "", *, public: bool = False) -> Project:
        project = Project(self.next_id("project"), key, name or f"Project {key}", public=public)
        self.projects[project.id] = project
        self.project_keys[key] = project.id
        return project

    def add_link_type(
        self,
        name: str,
        outward: str,
        inward: str | None = None,
        *,
        system: bool = False,
        subtask: bool = False,
    ) -> LinkType:
        """Without `inward` the type is symmetric."""
        made = LinkType(
            self.next_id("type"), name, outward if inward is None else inward, outward, system
        )
        made.subtask = subtask
        self.types[made.id] = made
        return made

    def add_custom_field(self, name: str) -> CustomField:
        made = CustomField(self.next_id("field"), name)
        self.custom_fields[made.id] = made
        return made

    def link_type(self, name_or_id: str) -> LinkType:
        """By name (any case) or id; KeyError if there is none."""
        wanted = name_or_id.casefold()
        for made in self.types.values():
            if made.name.casefold() == wanted or str(made.id) == name_or_id:
                return made
        raise KeyError(name_or_id)

    def project(self, key_or_id: str) -> Project | None:
        number = self.project_keys.get(key_or_id.upper())
        if number is None and key_or_id.isdigit():
            number = int(key_or_id)
        return None if number is None else self.projects.get(number)

    # -- permissions

    def permit(self, user: str, permission: Permission, project: str, allowed: bool = True) -> None:
        """Flip one permission; accounts that are logged in start with all of them."""
        entry = (permission, self.project_keys[project], user)
        if allowed:
            self.denied.discard(entry)
        else:
            self.denied.add(entry)

    def can(self, user: User | None, permission: Permission, project: Project) -> bool:
        if user is None:
            return project.public and permission == "BROWSE_PROJECTS"
        return user.active and (permission, project.id, user.name) not in self.denied

    def can_browse(self, user: User | None, issue: Issue) -> bool:
        """Issues of archived projects are hidden from all, others from the listed accounts."""
        project = self.projects[issue.project]
        if project.archived or not self.can(user, "BROWSE_PROJECTS", project):
            return False
        return user is None or user.name not in issue.hidden_from

    # -- finding

    def find(self, ref: str) -> Issue | None:
        """By id, key (any case) or a key from before a move, without permission checks."""
        if ref.isdigit():
            return self.issues.get(int(ref))
        key = ref.upper()
        number = self.issue_keys.get(key) or self.moved_keys.get(key)
        return None if number is None else self.issues.get(number)

    def issue(self, ref: str) -> Issue:
        """As `find`, for tests: KeyError instead of None."""
        found = self.find(ref)
        if found is None:
            raise KeyError(ref)
        return found

    def seen(self, user: User | None, ref: str) -> Issue:
        """The issue if this caller may browse it, else 404 as Jira says it."""
        found = self.find(ref)
        if found is None or not self.can_browse(user, found):
            raise Refusal(404, GONE)
        return found

    # -- truth for tests

    def triples_of(self, chosen: Callable[[Link], bool] | None = None) -> set[tuple[str, str, str]]:
        """All links as (source key, type name, destination key)."""
        return {
            (
                self.issues[link.source].key,
                self.types[link.type_id].name,
                self.issues[link.destination].key,
            )
            for link in self.links.values()
            if chosen is None or chosen(link)
        }

    def fingerprint(self, chosen: Iterable[int] | Callable[[Link], bool] | None = None) -> str:
        """A digest of links (all, those ids, or those that the predicate takes), ids included.

        An id that is gone counts as gone: the digest then differs.
        """
        if chosen is None:
            ids = sorted(self.links)
        elif callable(chosen):
            ids = sorted(link.id for link in self.links.values() if chosen(link))
        else:
            ids = sorted(set(chosen))
        made = hashlib.sha256()
        for number in ids:
            link = self.links.get(number)
            row = (
                (number, "gone")
                if link is None
                else (number, link.type_id, link.source, link.destination)
            )
            made.update(repr(row).encode())
        return made.hexdigest()

    def copy(self, name: str | None = None, *, clock: Clock | None = None) -> JiraSite:
        """An independent site with the same content and tokens; webhooks, faults, requests not."""
        made = JiraSite(
            name or self.name,
            self.flavour,
            seed=self.seed,
            clock=clock or self.clock,
            public_url=self.public_url,
            context=self.context,
            quirks=copy.copy(self.quirks),
            first_id=self.first_id,
        )
        made.cloud_id = self.cloud_id
        state = copy.deepcopy({key: getattr(self, key) for key in STATE})
        for key, value in state.items():
            setattr(made, key, value)
        made.faults.random = made.random
        made.outbox.random = made.random
        return made
