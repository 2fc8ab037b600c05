"""Links that a connection knows: managed ones, and those that it leaves alone."""

from typing import Annotated

from fastapi import Query

from app.api.context import IssueFilter, Paged, Svc, TheConnection
from app.api.documents import problems
from app.api.route import api_router
from app.api.schemas.base import Listed, storable_or_none
from app.api.schemas.link import LinkAnswer, State
from app.store import links_read

router = api_router("links")
TypeFilter = Annotated[
    str | None,
    Query(max_length=255, description="Name or id of a link type of either side"),
    storable_or_none,
]


@router.get(
    "/connections/{name}/links",
    response_model=Listed[LinkAnswer],
    responses=problems("connection_unknown"),
)
async def list_links(
    connection: TheConnection,
    services: Svc,
    page: Paged,
    *,
    state: State | None = None,
    issue: IssueFilter = None,
    type: TypeFilter = None,
) -> object:
    """In the order in which they were recorded."""
    async with services.database.connection() as conn:
        rows = await links_read.page(
            conn,
            connection.id,
            state=state,
            issue=issue,
            type=type,
            after=page.after_name(),
            limit=page.fetch,
        )
    return page.answer(rows, LinkAnswer.of, lambda it: it.position)
