"""Versions of the service, and the differences that a person accepts."""

from typing import Annotated

from fastapi import Path

from app.api.routing.dependencies import PagedWhole, Svc, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.worker import EngineAccept, EngineAnswer
from app.store.upkeep import engines
from app.sync.reconcile import engine_watch

router = api_router("workers")
Version = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$", description="Such as 0.1.0"),
]


@router.get("/engines", response_model=Listed[EngineAnswer])
async def list_engines(services: Svc, page: PagedWhole) -> object:
    """In the order in which they came."""
    async with services.database.connection() as conn:
        rows = await engines.page(conn, after=page.after(0), limit=page.fetch)
    return page.answer(rows, EngineAnswer.of, lambda it: it.id)


@router.post("/engines/{engine}/accept", responses=problems("engine_unknown", "engine_digest"))
async def accept_engine(
    engine: Version, body: EngineAccept, services: Svc, caller: Who
) -> EngineAnswer:
    """Let a version write although it decides otherwise than those before it. Its workers begin
    within seconds."""
    it = await engine_watch.accept(
        services.context, f"twinlink/{engine}", body.digest, by=caller.owner
    )
    return EngineAnswer.of(it)
