"""Writes that are under way, or whose outcome is not known yet."""

from typing import Literal

from app.api.routing.dependencies import ConnectionFilter, Paged, Svc, Who
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.intent import IntentAnswer
from app.store.views import intents

router = api_router("intents")


@router.get("/intents", response_model=Listed[IntentAnswer])
async def list_intents(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    status: Literal["open", "unconfirmed"] = "unconfirmed",
    connection: ConnectionFilter = None,
) -> object:
    """Oldest first. `open` holds those that are under way as well."""
    async with services.database.connection() as conn:
        rows = await intents.page(
            conn,
            within=caller.connections,
            connection=connection,
            unconfirmed=status == "unconfirmed",
            after=page.after(0),
            limit=page.fetch,
        )
    return page.answer(rows, IntentAnswer.of, lambda it: it.id)
