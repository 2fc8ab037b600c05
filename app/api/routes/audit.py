"""The audit: list, export, verify."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import orjson
from fastapi import Query, Response
from starlette.responses import StreamingResponse

from app.api.http.pages import LARGEST
from app.api.http.problems import Problem
from app.api.routing.dependencies import Id, Paged, Svc, Who, WhoNow, number
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.audit import AuditListQuery, AuditQuery, AuditRow, Verification
from app.api.schemas.base import Listed, Queued
from app.store.pool import Database
from app.store.views import audit, verifications
from app.store.views.audit import Filters, Head

router = api_router("audit")
Asked = Annotated[AuditQuery, Query()]
AskedList = Annotated[AuditListQuery, Query()]


class Ndjson(StreamingResponse):
    media_type = "application/x-ndjson"


@router.get("/audit", response_model=Listed[AuditRow])
async def list_audit(services: Svc, caller: Who, page: Paged, asked: AskedList) -> object:
    """Oldest first, or with `order=desc` newest first. Intent and outcome are two rows with one
    `intent_id`; the last counts."""
    filters, newest = asked.filters(caller.connections), asked.order == "desc"
    async with services.database.connection() as conn:
        start = page.after(LARGEST if newest else 0)
        rows = await audit.page(conn, filters, after=start, limit=page.fetch, newest=newest)
    return page.answer(rows, AuditRow.model_validate, lambda row: int(row["id"]))


@router.get("/audit/export", response_class=Ndjson)
async def export_audit(services: Svc, caller: Who, again: WhoNow, asked: Asked) -> Ndjson:
    """All rows, chain by chain, one a line; then `{"head": {chain, connection, seq, hash}}` for
    each chain as it ended when the export began. An export without heads was cut off; its last
    line is `{"incomplete": code}` where the token ended, or its connections changed, on the way.
    Rows can be checked against the heads where no filter but `connection` leaves any out."""

    async def still() -> None:
        if (await again()).connections != caller.connections:
            raise Problem("forbidden", "the token's connections have changed")

    filters = asked.filters(caller.connections)
    async with services.database.connection() as conn:
        heads = await audit.heads(conn, filters)
    return Ndjson(_lines(services.database, filters, heads, still))


@router.post("/audit/verifications", status_code=202)
async def post_verification(services: Svc, response: Response) -> Queued:
    """Have every chain checked by a worker."""
    async with services.database.connection() as conn:
        made = await verifications.insert(conn, services.clock())
    services.wake.soon()
    response.headers["Location"] = f"/api/v1/audit/verifications/{made}"
    return Queued(id=str(made), status="queued")


@router.get("/audit/verifications", response_model=Listed[Verification])
async def list_verifications(services: Svc, page: Paged) -> object:
    """Newest first."""
    async with services.database.connection() as conn:
        rows = await verifications.page(conn, before=page.after(LARGEST), limit=page.fetch)
    return page.answer(rows, Verification.of, lambda it: it.id)


@router.get("/audit/verifications/{id}", responses=problems("verification_unknown"))
async def get_verification(id: Id, services: Svc) -> Verification:
    async with services.database.connection() as conn:
        row = await verifications.by_id(conn, number(id, "verification_unknown"))
    if row is None:
        raise Problem("verification_unknown")
    return Verification.of(row)


async def _lines(
    database: Database, filters: Filters, heads: list[Head], still: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """*still* is asked before each page but the first, and raises `Problem`."""
    try:
        for head in heads:
            async for rows in audit.chain(database, filters, head):
                yield b"".join(orjson.dumps(row) + b"\n" for row in rows)
                await still()
    except Problem as problem:
        yield orjson.dumps({"incomplete": problem.code}) + b"\n"
        return
    for head in heads:
        yield orjson.dumps({"head": head.plain()}) + b"\n"
