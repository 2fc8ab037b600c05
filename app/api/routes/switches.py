"""Mode, pause and guard: the operating state of connections, and the pause of everything."""

from fastapi import Response

from app.api.http import etags
from app.api.routing.dependencies import Svc, TheConnection, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.connection import ConnectionAnswer, PauseAnswer
from app.api.schemas.connection_put import ModePut
from app.core.config import Mode
from app.store.config.connections import ConnectionRow
from app.store.upkeep.installation import Pause
from app.sync.connections.view import view
from app.wiring import Services

router = api_router("operation")
_UNKNOWN = problems("connection_unknown")


@router.put(
    "/connections/{name}/mode",
    responses=problems(
        "connection_unknown",
        "account_not_dedicated",
        "site_unchecked",
        "database_went_back",
        "site_went_back",
    ),
)
async def put_mode(
    connection: TheConnection, body: ModePut, services: Svc, caller: Who, response: Response
) -> ConnectionAnswer:
    """Every mode but `shadow` writes, and needs a dedicated, checked account on both sites."""
    row = await services.switches.mode(
        connection.name,
        Mode(body.mode),
        by=caller.owner,
        now=services.clock(),
        id=connection.id,
    )
    return await _answer(services, row, response)


@router.post("/connections/{name}/pause", responses=_UNKNOWN)
async def pause(
    connection: TheConnection, services: Svc, caller: Who, response: Response
) -> ConnectionAnswer:
    """Store webhooks, write nothing. Once this returns, no older intent can commit."""
    row = await services.switches.pause(
        connection.name, by=caller.owner, now=services.clock(), id=connection.id
    )
    return await _answer(services, row, response)


@router.post("/connections/{name}/resume", responses=_UNKNOWN)
async def resume(
    connection: TheConnection, services: Svc, caller: Who, response: Response
) -> ConnectionAnswer:
    """After more than 24 hours, all twins are compared and the removals of that are held."""
    now = services.clock()
    row = await services.switches.resume(
        connection.name, by=caller.owner, now=now, id=connection.id
    )
    return await _answer(services, row, response)


@router.post(
    "/connections/{name}/guard/reset",
    responses=problems("connection_unknown", "guard_resets_spent"),
)
async def reset_guard(
    connection: TheConnection, services: Svc, caller: Who, response: Response
) -> ConnectionAnswer:
    """Arm the guard with fresh windows, at most three times a day. What it held is judged again
    under them: its plans end, sealed ones too, and what has no room is held in a new one."""
    now = services.clock()
    row = await services.switches.reset_guard(
        connection.name, by=caller.owner, now=now, id=connection.id
    )
    return await _answer(services, row, response)


@router.post("/pause")
async def pause_all(services: Svc, caller: Who) -> PauseAnswer:
    """Stop every connection."""
    return _paused(await services.switches.pause_all(by=caller.owner, now=services.clock()))


@router.post("/resume")
async def resume_all(services: Svc, caller: Who) -> PauseAnswer:
    """End the pause of everything; connections that are paused themselves stay so."""
    return _paused(await services.switches.resume_all(by=caller.owner, now=services.clock()))


async def _answer(services: Services, row: ConnectionRow, response: Response) -> ConnectionAnswer:
    etags.set_etag(response, row.revision)
    async with services.database.connection() as conn:
        return ConnectionAnswer.of_view(await view(conn, row, services.clock()))


def _paused(pause: Pause) -> PauseAnswer:
    return PauseAnswer(
        paused=pause.paused_at is not None, paused_at=pause.paused_at, paused_by=pause.paused_by
    )
