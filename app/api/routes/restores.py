"""Restores and rescues: ask, follow. Their plans are approved like any other."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from fastapi import Response

from app.api.auth.auth import Caller
from app.api.auth.roles import V1
from app.api.http.pages import LARGEST, Page
from app.api.http.problems import Problem
from app.api.routing.dependencies import (
    ConnectionFilter,
    Id,
    Paged,
    Svc,
    Who,
    WhoNow,
    number,
    visible_site,
)
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.routing.streams import Events, Following, Streams
from app.api.schemas.base import Listed
from app.api.schemas.restore import OVER, RescuePost, RestoreAnswer, RestoreMade, RestorePost
from app.core.config import Problem as FieldProblem
from app.core.plan import PlanKind
from app.store.config import connections
from app.store.views import restores
from app.sync.recovery import rescue, restore
from app.wiring import Services

router = api_router("restores")
RESTORES = (PlanKind.RESTORE, PlanKind.UNDO)
RESCUES = (PlanKind.RESCUE,)
_STREAM_PROBLEMS = problems("restore_unknown", "too_many_streams")


@router.post("/restores", status_code=202, responses=problems("nothing_selected"))
async def post_restore(
    body: RestorePost, services: Svc, caller: Who, response: Response
) -> RestoreMade:
    """Plan to put back what Twinlink removed, or (`operation: create`) to take back what it made.

    Nothing is written before the plan is approved: it waits as `held`, with a reason for every
    link that cannot be restored.
    """
    connection = await _connection(services, caller, body.connection)
    if body.site is not None and await visible_site(services, caller, body.site) is None:
        raise _unknown("site")
    made, plan_id = await restore.request(
        services.database,
        body.operation,
        body.filters(caller.connections, connection),
        asked=body.model_dump(mode="json", exclude_none=True),
        confined_to=caller.connections,
        requested_by=caller.owner,
        now=services.clock(),
    )
    return _accepted(services, response, "restores", made, plan_id)


@router.post("/rescues", status_code=202, responses=problems("nothing_selected", "own_account"))
async def post_rescue(
    body: RescuePost, services: Svc, caller: Who, response: Response
) -> RestoreMade:
    """Plan to put back links that another account removed on a site, from Jira's changelogs."""
    site = await visible_site(services, caller, body.site)
    if site is None:
        raise _unknown("site")
    made, plan_id = await rescue.request(
        services.database,
        site.id,
        body.culprit(),
        asked={"site": body.site},
        requested_by=caller.owner,
        now=services.clock(),
    )
    return _accepted(services, response, "rescues", made, plan_id)


@router.get("/restores", response_model=Listed[RestoreAnswer])
async def list_restores(
    services: Svc, caller: Who, page: Paged, *, connection: ConnectionFilter = None
) -> object:
    """Newest first; undone creates are among them."""
    return await _listed(services, caller, page, RESTORES, connection)


@router.get("/rescues", response_model=Listed[RestoreAnswer])
async def list_rescues(
    services: Svc, caller: Who, page: Paged, *, connection: ConnectionFilter = None
) -> object:
    """Newest first."""
    return await _listed(services, caller, page, RESCUES, connection)


@router.get("/restores/{id}", responses=problems("restore_unknown"))
async def get_restore(id: Id, services: Svc, caller: Who) -> RestoreAnswer:
    return await _one(services, caller, id, RESTORES)


@router.get("/rescues/{id}", responses=problems("restore_unknown"))
async def get_rescue(id: Id, services: Svc, caller: Who) -> RestoreAnswer:
    return await _one(services, caller, id, RESCUES)


@router.get("/restores/{id}/events", response_class=Events, responses=_STREAM_PROBLEMS)
async def restore_events(
    id: Id, services: Svc, caller: Who, again: WhoNow, streams: Following
) -> Events:
    """Server-sent events: `progress` whenever its figures moved, `end` when it is over. Each
    carries the restore as `GET` shows it."""
    return await _followed(services, caller, again, streams, id, RESTORES)


@router.get("/rescues/{id}/events", response_class=Events, responses=_STREAM_PROBLEMS)
async def rescue_events(
    id: Id, services: Svc, caller: Who, again: WhoNow, streams: Following
) -> Events:
    """As those of a restore."""
    return await _followed(services, caller, again, streams, id, RESCUES)


async def _connection(services: Services, caller: Caller, name: str | None) -> int | None:
    """Its id. One that the caller may not see is as unknown as one that is not there."""
    if name is None:
        return None
    async with services.database.connection() as conn:
        found = await connections.by_name(conn, name)
    if found is None or not caller.sees(found.id):
        raise _unknown("connection")
    return found.id


def _unknown(field: str) -> Problem:
    return Problem("validation", errors=[FieldProblem(f"/{field}", f"there is no such {field}")])


def _accepted(
    services: Services, response: Response, where: str, made: int, plan_id: int
) -> RestoreMade:
    services.wake.soon()
    response.headers["Location"] = f"{V1}/{where}/{made}"
    return RestoreMade(id=str(made), plan_id=str(plan_id), status="planning")


async def _listed(
    services: Services,
    caller: Caller,
    page: Page,
    kinds: Sequence[PlanKind],
    connection: str | None,
) -> dict[str, Any]:
    async with services.database.connection() as conn:
        rows = await restores.page(
            conn,
            within=caller.connections,
            kinds=kinds,
            connection=connection,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    shown = partial(RestoreAnswer.of, within=caller.connections)
    return page.answer(rows, shown, lambda it: it.id)


async def _one(
    services: Services, caller: Caller, id: str, kinds: Sequence[PlanKind]
) -> RestoreAnswer:
    restore_id = number(id, "restore_unknown")
    async with services.database.connection() as conn:
        row = await restores.by_id(conn, restore_id, caller.connections, kinds)
    if row is None:
        raise Problem("restore_unknown")
    return RestoreAnswer.of(row, within=caller.connections)


async def _followed(
    services: Services,
    caller: Caller,
    again: Callable[[], Awaitable[Caller]],
    streams: Streams,
    id: str,
    kinds: Sequence[PlanKind],
) -> Events:
    async def read() -> RestoreAnswer:
        return await _one(services, await again(), id, kinds)

    first = await _one(services, caller, id, kinds)
    return streams.follow(first, read, lambda it: it.status in OVER)
