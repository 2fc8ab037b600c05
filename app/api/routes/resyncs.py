"""Resyncs: ask for one, follow it, end it."""

from fastapi import Response

from app.api.auth.auth import Caller
from app.api.http.pages import LARGEST
from app.api.http.problems import Problem
from app.api.routing.dependencies import (
    ConnectionFilter,
    Id,
    Paged,
    Svc,
    TheConnection,
    Who,
    WhoNow,
    number,
)
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.routing.streams import Events, Following
from app.api.schemas.base import Listed, Queued
from app.api.schemas.resync import OVER, ResyncAnswer, ResyncPost, Status
from app.store.views import resyncs
from app.sync.resync import walk
from app.sync.resync.issues import twins_of
from app.wiring import Services

router = api_router("resyncs")


@router.post(
    "/connections/{name}/resyncs", status_code=202, responses=problems("connection_unknown")
)
async def post_resync(
    connection: TheConnection,
    services: Svc,
    caller: Who,
    response: Response,
    body: ResyncPost | None = None,
) -> Queued:
    """Look at all twins, or at those of named issues. A whole one that is queued is joined."""
    wanted = body or ResyncPost()
    twin_ids = None
    if wanted.issues is not None:
        async with services.database.connection() as conn:
            twin_ids = await twins_of(
                conn, connection.id, wanted.issues, confined=caller.connections is not None
            )
    resync_id = await walk.request(
        services.database,
        connection.id,
        twin_ids=twin_ids,
        dry_run=wanted.dry_run,
        requested_by=caller.owner,
        now=services.clock(),
    )
    services.wake.soon()
    response.headers["Location"] = f"/api/v1/resyncs/{resync_id}"
    return Queued(id=str(resync_id), status="queued")


@router.get("/resyncs", response_model=Listed[ResyncAnswer])
async def list_resyncs(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    connection: ConnectionFilter = None,
    status: Status | None = None,
) -> object:
    """Newest first."""
    async with services.database.connection() as conn:
        rows = await resyncs.page(
            conn,
            within=caller.connections,
            connection=connection,
            status=status,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    return page.answer(rows, ResyncAnswer.of, lambda it: it.id)


@router.get("/resyncs/{id}", responses=problems("resync_unknown"))
async def get_resync(id: Id, services: Svc, caller: Who) -> ResyncAnswer:
    return await _resync(services, caller, id)


@router.post("/resyncs/{id}/cancel", responses=problems("resync_unknown", "resync_over"))
async def cancel_resync(id: Id, services: Svc, caller: Who) -> ResyncAnswer:
    """End it at its next step. What it did stays."""
    known = await _resync(services, caller, id)
    async with services.database.connection() as conn:
        if not await resyncs.cancel(conn, int(known.id), services.clock()):
            raise Problem("resync_over")
    services.wake.soon()
    return await _resync(services, caller, id)


@router.get(
    "/resyncs/{id}/events",
    response_class=Events,
    responses=problems("resync_unknown", "too_many_streams"),
)
async def resync_events(
    id: Id, services: Svc, caller: Who, again: WhoNow, streams: Following
) -> Events:
    """Server-sent events: `progress` whenever its figures moved, `end` when it is over. Each
    carries the resync as `GET` shows it."""

    async def read() -> ResyncAnswer:
        return await _resync(services, await again(), id)

    first = await _resync(services, caller, id)
    return streams.follow(first, read, lambda it: it.status in OVER)


async def _resync(services: Services, caller: Caller, id: str) -> ResyncAnswer:
    async with services.database.connection() as conn:
        row = await resyncs.by_id(conn, number(id, "resync_unknown"), caller.connections)
    if row is None:
        raise Problem("resync_unknown")
    return ResyncAnswer.of(row)
