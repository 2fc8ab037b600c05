"""Links that a connection knows: managed ones, and those that it leaves alone."""

from typing import Annotated

from fastapi import Query, Request

from app.api.http.one_at_a_time import OneAtATime
from app.api.routing.dependencies import ISSUE_KEY, IssueFilter, Paged, Svc, TheConnection, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed, storable_or_none
from app.api.schemas.explain import ExplainedLink, Explanation
from app.api.schemas.link import LinkAnswer, State
from app.store.views import links
from app.sync.reconcile.explain import explain

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
    caller: Who,
    page: Paged,
    *,
    state: State | None = None,
    issue: IssueFilter = None,
    type: TypeFilter = None,
) -> object:
    """In the order in which they were recorded."""
    async with services.database.connection() as conn:
        rows = await links.page(
            conn,
            connection.id,
            links.Filters(state, issue, type),
            after=page.after_name(),
            limit=page.fetch,
            confined=caller.connections is not None,
        )
    return page.answer(rows, LinkAnswer.of, lambda it: it.position)


@router.get(
    "/connections/{name}/explain",
    responses=problems("connection_unknown", "twin_unknown", "site_unavailable", "site_refuses"),
)
async def explain_issue(
    connection: TheConnection,
    services: Svc,
    caller: Who,
    request: Request,
    issue: Annotated[str, Query(pattern=ISSUE_KEY, description="A key of either side")],
) -> Explanation:
    """Read both sites now and say of each link of this issue which row of the decision table
    applies, why, and what was done to it before. Writes nothing. Its reads give way to those of
    workers, and a token has one explanation at a time: the next one waits. A token that is confined
    to connections is shown nothing new of an issue that is out of scope now."""
    turns: OneAtATime = request.app.state.explaining
    async with turns.turn(caller.id):
        found = await explain(
            services.context, connection.id, issue, confined=caller.connections is not None
        )
    return Explanation(issue=issue, items=[ExplainedLink.of(it) for it in found])
