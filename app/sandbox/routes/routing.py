"""Which path is which handler. Templates name endpoints in logs, limits and faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.sandbox.model import Flavour
from app.sandbox.routes import extras, issues, links, search, site
from app.sandbox.wire import Call, Reply

Handler = Callable[[Call], Reply]
Where = Literal["both", "cloud", "datacenter"]


@dataclass(frozen=True, slots=True)
class Route:
    """`handlers` by method; a None in `parts` is a wildcard."""

    template: str
    parts: tuple[str | None, ...]
    handlers: dict[str, Handler]


TABLE: tuple[tuple[str, str, Handler, Where], ...] = (
    ("GET", "/myself", site.myself, "both"),
    ("GET", "/serverInfo", site.server_info, "both"),
    ("GET", "/project", site.projects, "both"),
    ("GET", "/project/search", site.project_search, "cloud"),
    ("GET", "/project/{project}", site.project, "both"),
    ("GET", "/field", site.fields, "both"),
    ("GET", "/mypermissions", site.my_permissions, "both"),
    ("GET", "/issueLinkType", links.types, "both"),
    ("POST", "/issueLinkType", links.create_type, "both"),
    ("GET", "/issueLinkType/{id}", links.read_type, "both"),
    ("POST", "/issueLink", links.create, "both"),
    ("GET", "/issueLink/{id}", links.read, "both"),
    ("DELETE", "/issueLink/{id}", links.remove, "both"),
    ("POST", "/issue", issues.create, "both"),
    ("POST", "/issue/bulkfetch", issues.bulkfetch, "cloud"),
    ("GET", "/issue/{issue}", issues.read, "both"),
    ("PUT", "/issue/{issue}", issues.edit, "both"),
    ("DELETE", "/issue/{issue}", issues.remove, "both"),
    ("GET", "/issue/{issue}/changelog", issues.read_changelog, "cloud"),
    ("POST", "/changelog/bulkfetch", issues.changelog_bulkfetch, "cloud"),
    ("GET", "/issue/{issue}/properties", extras.property_keys, "both"),
    ("GET", "/issue/{issue}/properties/{key}", extras.read_property, "both"),
    ("PUT", "/issue/{issue}/properties/{key}", extras.write_property, "both"),
    ("DELETE", "/issue/{issue}/properties/{key}", extras.remove_property, "both"),
    ("GET", "/issue/{issue}/remotelink", extras.remote_links, "both"),
    ("POST", "/issue/{issue}/remotelink", extras.write_remote_link, "both"),
    ("DELETE", "/issue/{issue}/remotelink", extras.remove_remote_link, "both"),
    ("GET", "/search/jql", search.by_token, "cloud"),
    ("POST", "/search/jql", search.by_token, "cloud"),
    ("POST", "/search/approximate-count", search.count, "cloud"),
    ("GET", "/search", search.by_offset, "both"),
    ("POST", "/search", search.by_offset, "both"),
    ("GET", "/webhook", extras.dynamic_webhooks, "cloud"),
    ("POST", "/webhook", extras.dynamic_webhooks, "cloud"),
    ("DELETE", "/webhook", extras.dynamic_webhooks, "cloud"),
)
WEBHOOKS: tuple[tuple[str, str, Handler, Where], ...] = (
    ("GET", "/webhooks", extras.webhooks, "both"),
    ("POST", "/webhooks", extras.create_webhook, "both"),
    ("GET", "/webhooks/{id}", extras.read_webhook, "both"),
    ("PUT", "/webhooks/{id}", extras.update_webhook, "both"),
    ("DELETE", "/webhooks/{id}", extras.remove_webhook, "both"),
)


class Router:
    """Literal templates win over wildcards."""

    def __init__(self, flavour: Flavour) -> None:
        self._literal: dict[str, Route] = {}
        self._by_length: dict[int, list[Route]] = {}
        known: dict[str, Route] = {}
        for method, template, handler, where in (*TABLE, *WEBHOOKS):
            if where not in ("both", flavour):
                continue
            route = known.get(template)
            if route is None:
                parts = tuple(
                    None if part.startswith("{") else part for part in template[1:].split("/")
                )
                route = known[template] = Route(template, parts, {})
                if None in parts:
                    self._by_length.setdefault(len(parts), []).append(route)
                else:
                    self._literal[template] = route
            route.handlers[method] = handler

    def find(self, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The route of a path below `/rest/api/<n>` and its wildcards."""
        route = self._literal.get(path)
        if route is not None:
            return route, ()
        given = path[1:].split("/")
        for route in self._by_length.get(len(given), ()):
            if all(
                part is None or part == one for part, one in zip(route.parts, given, strict=True)
            ):
                found = tuple(
                    one for part, one in zip(route.parts, given, strict=True) if part is None
                )
                return route, found
        return None
