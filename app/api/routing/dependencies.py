"""What routes take from the request: the services, who calls, and what an address names."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from app.api.auth.auth import Caller, authenticate
from app.api.http.pages import LARGEST, Cursor, Cursors, Limit, Page
from app.api.http.problems import Problem
from app.store.config import connections, sites
from app.store.config.connections import ConnectionRow
from app.store.config.sites import SiteRow
from app.wiring import Services

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Of sites and connections; the tables check the same."""
ISSUE_KEY = r"^[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}$"


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Svc = Annotated[Services, Depends(_services)]
Who = Annotated[Caller, Depends(_caller)]


def _again(request: Request, services: Svc) -> Callable[[], Awaitable[Caller]]:
    return partial(authenticate, request, services)


WhoNow = Annotated[Callable[[], Awaitable[Caller]], Depends(_again)]
"""Who calls, asked again: a stream lives longer than its token may."""


def _page(
    request: Request, services: Svc, caller: Who, limit: Limit = 100, cursor: Cursor = None
) -> Page:
    return Page.asked(_cursors(request, services, caller), limit, cursor)


def _whole_page(
    request: Request, services: Svc, caller: Who, limit: Limit = 1000, cursor: Cursor = None
) -> Page:
    """For what is rarely longer than one page and is wanted whole."""
    return Page.asked(_cursors(request, services, caller), limit, cursor)


def _cursors(request: Request, services: Services, caller: Caller) -> Cursors:
    filters = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"cursor", "limit"}
    ]
    return Cursors(services.vault, request.url.path, filters, caller.connections)


def first_page(services: Services, caller: Caller, path: str) -> Page:
    """For an answer that shows what is at another address: its cursor continues there."""
    return Page(1000, Cursors(services.vault, path, (), caller.connections))


Paged = Annotated[Page, Depends(_page)]
PagedWhole = Annotated[Page, Depends(_whole_page)]
IfMatch = Annotated[str | None, Header(description="The ETag that was read")]
NewName = Annotated[str, Path(pattern=NAME, description="Small letters, digits, `-` and `_`")]
AnyName = Annotated[str, Path(description="The name that it was put under")]
IssueFilter = Annotated[
    str | None,
    Query(
        pattern=ISSUE_KEY,
        max_length=300,
        description="An issue's key",
    ),
]
ConnectionFilter = Annotated[str | None, Query(pattern=NAME, description="A connection's name")]
SiteFilter = Annotated[str | None, Query(pattern=NAME, description="A site's name")]
Id = Annotated[str, Path(description="An id as a list shows it")]


async def _connection(name: AnyName, services: Svc, caller: Who) -> ConnectionRow:
    """404 also for what the token may not see: it does not learn that it exists."""
    found = None
    if sound(name):
        async with services.database.connection() as conn:
            found = await connections.by_name(conn, name)
    if found is None or not caller.sees(found.id):
        raise Problem("connection_unknown")
    return found


async def visible_site(services: Services, caller: Caller, name: str) -> SiteRow | None:
    """A confined caller sees the sites that its connections join."""
    async with services.database.connection() as conn:
        found = await sites.by_name(conn, name)
        if found is None or caller.connections is None:
            return found
        joined = await sites.is_joined_by(conn, found.id, caller.connections)
    return found if joined else None


async def _site(site: AnyName, services: Svc, caller: Who) -> SiteRow:
    """Its secrets are bound first: that changes the row, and one of before opens no more."""
    await services.binding.ensure()
    found = await visible_site(services, caller, site) if sound(site) else None
    if found is None:
        raise Problem("site_unknown")
    return found


TheConnection = Annotated[ConnectionRow, Depends(_connection)]
TheSite = Annotated[SiteRow, Depends(_site)]


def number(text: str, unknown: str) -> int:
    """An id of an address as the tables have it. What cannot be one is not there: 404."""
    value = int(text) if text.isascii() and text.isdecimal() and len(text) <= 19 else 0
    if not 0 < value <= LARGEST:
        raise Problem(unknown)
    return value


def sound(text: str) -> bool:
    """Whether PostgreSQL could hold it: neither NUL nor a lone surrogate."""
    return text.isprintable() and len(text) <= 255
