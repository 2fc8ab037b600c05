"""Connections: create, change, read, delete."""

from functools import partial

from fastapi import Response

from app.api.http import etags
from app.api.routing.dependencies import IfMatch, NewName, Paged, Svc, TheConnection, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.connection import (
    ConnectionAnswer,
    ConnectionStored,
    NamedStatus,
    Released,
    StatusAnswer,
)
from app.api.schemas.connection_put import ConnectionPut
from app.api.schemas.difference import DifferenceAnswer
from app.api.schemas.outlook import OutlookAnswer
from app.store.config import connections
from app.store.views import pending_work, status
from app.sync.connections.difference import difference
from app.sync.connections.view import view, views
from app.sync.twins import release

router = api_router("connections")
_PUT = problems(
    "projects_connected",
    "sites_fixed",
    "concurrent_change",
    "stale",
    "validation",
    "site_unavailable",
    "site_refuses",
)
_UNKNOWN = problems("connection_unknown")


@router.put(
    "/connections/{name}",
    responses={**_PUT, 201: {"model": ConnectionStored, "description": "It is new"}},
)
async def put_connection(
    name: NewName,
    body: ConnectionPut,
    services: Svc,
    caller: Who,
    response: Response,
    *,
    if_match: IfMatch = None,
) -> ConnectionStored:
    """Replace the whole configuration. A change is a new revision; a new one is in shadow. Jira is
    asked about the projects: one that is added and that it does not show is refused."""
    done = await services.connection_admin.put(
        name,
        body.spec(),
        author=caller.owner,
        expect=partial(etags.check, if_match),
        now=services.clock(),
    )
    etags.set_etag(response, done.connection.revision)
    if done.created:
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/connections/{name}"
    async with services.database.connection() as conn:
        shown = await view(conn, done.connection, services.clock())
    return ConnectionStored.of_put(shown, done.findings)


@router.post(
    "/connections/{name}/difference",
    responses=problems("connection_unknown", "validation", "site_unavailable", "site_refuses"),
)
async def compare_configuration(
    connection: TheConnection, body: ConnectionPut, services: Svc
) -> DifferenceAnswer:
    """What a PUT of this body would change, and how many links it would suspend or resume.
    Nothing is stored."""
    found = await difference(services.database, services.connection_admin, connection, body.spec())
    return DifferenceAnswer.of(connection, found)


@router.get("/connections", response_model=Listed[ConnectionAnswer])
async def list_connections(services: Svc, caller: Who, page: Paged) -> object:
    """In the order of their names."""
    async with services.database.connection() as conn:
        rows = await connections.page(
            conn, within=caller.connections, after=page.after_name(), limit=page.fetch
        )
        seen = await views(conn, rows, services.clock())
    return page.answer(seen, ConnectionAnswer.of_view, lambda it: it.row.name)


@router.get("/connections/{name}", responses=_UNKNOWN)
async def get_connection(
    connection: TheConnection, services: Svc, response: Response
) -> ConnectionAnswer:
    etags.set_etag(response, connection.revision)
    async with services.database.connection() as conn:
        return ConnectionAnswer.of_view(await view(conn, connection, services.clock()))


@router.delete("/connections/{name}", responses=problems("connection_unknown", "write_in_progress"))
async def delete_connection(connection: TheConnection, services: Svc, caller: Who) -> Released:
    """Its links become unmanaged and stay; the name then starts an empty ledger."""
    released = await release.delete_connection(
        services.database,
        connection.id,
        actor=caller.owner,
        now=services.clock(),
        engine=services.engine,
    )
    return Released(released=released)


@router.get("/connections/{name}/status", responses=_UNKNOWN)
async def get_status(connection: TheConnection, services: Svc) -> StatusAnswer:
    async with services.database.connection() as conn:
        load = await status.of_connection(conn, connection.id, services.clock())
    return StatusAnswer.copied(load)


@router.get("/connections/{name}/outlook", responses=_UNKNOWN)
async def get_outlook(connection: TheConnection, services: Svc) -> OutlookAnswer:
    """Its twins, what its open shadow plan would do, by site and type, and what waits: the numbers
    of `next_step`."""
    async with services.database.connection() as conn:
        seen = await pending_work.of_connections(conn, [connection.id])
        planned = await pending_work.planned(conn, connection.id)
    return OutlookAnswer.of(seen[connection.id], planned)


@router.get("/statuses", response_model=Listed[NamedStatus])
async def list_statuses(services: Svc, caller: Who, page: Paged) -> object:
    """Of each connection, in the order of `/connections`."""
    async with services.database.connection() as conn:
        rows = await connections.page(
            conn, within=caller.connections, after=page.after_name(), limit=page.fetch
        )
        found = await status.of_connections(conn, [row.id for row in rows], services.clock())
    named = [(row.name, found[row.id]) for row in rows]
    return page.answer(named, NamedStatus.of, lambda it: it[0])
