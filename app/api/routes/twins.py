"""Twins: pair, list, unpair."""

from typing import Annotated

from fastapi import Query

from app.api.http.problems import Problem
from app.api.routing.dependencies import (
    ISSUE_KEY,
    Id,
    IssueFilter,
    Paged,
    Svc,
    TheConnection,
    Who,
    number,
)
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.twin import (
    Listable,
    NamedTwin,
    Outcome,
    Outcomes,
    TwinAnswer,
    TwinsPost,
    Unpairing,
)
from app.core.twin_claims import ClaimStatus
from app.store.links import twins
from app.store.views import twins as views_twins
from app.sync.guard import unpairings
from app.sync.twins.pairing import pair, preview

router = api_router("twins")


@router.post(
    "/connections/{name}/twins",
    responses=problems("connection_unknown", "site_unavailable", "site_refuses"),
)
async def post_twins(
    connection: TheConnection, body: TwinsPost, services: Svc, caller: Who
) -> Outcomes:
    """Pair up to 1,000 issues. Each has its own outcome; those that pair are looked at next. For a
    token that is confined to connections, an issue out of scope is an unknown one."""
    confined = caller.connections is not None
    if body.dry_run:
        seen = await preview(
            services.database, services.sites, connection, body.claims(), confined=confined
        )
        return Outcomes(items=[Outcome.of(it) for it in seen])
    outcomes = await pair(
        services.database,
        services.sites,
        connection,
        body.claims(),
        now=services.clock(),
        confined=confined,
    )
    services.wake.soon()
    return Outcomes(items=[Outcome.of(it) for it in outcomes])


@router.get(
    "/connections/{name}/twins",
    response_model=Listed[TwinAnswer],
    responses=problems("connection_unknown"),
)
async def list_twins(
    connection: TheConnection,
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    issue: IssueFilter = None,
    status: Listable = ClaimStatus.PAIRED,
) -> object:
    """Pairs; with another status, the claims of twin fields that pair nothing. For a token that is
    confined to connections, an issue out of scope is an unknown one, and one that moved out of it
    is called as it was."""
    async with services.database.connection() as conn:
        if status is ClaimStatus.PAIRED:
            after = page.after(0)
            rows = await views_twins.page(
                conn, connection.id, issue=issue, after=after, limit=page.fetch,
                confined=caller.connections is not None,
            )  # fmt: skip
        else:
            rows = await views_twins.claims(
                conn, connection.id, status=status, issue=issue, after=page.after_name(),
                limit=page.fetch, confined=caller.connections is not None,
            )  # fmt: skip
    return page.answer(rows, TwinAnswer.of, lambda it: it.position)


@router.get("/twins", response_model=Listed[NamedTwin])
async def list_twins_of_issue(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    issue: Annotated[str, Query(pattern=ISSUE_KEY, max_length=300, description="An issue's key")],
) -> object:
    """The pairs of an issue of either side, in every connection that the token sees."""
    async with services.database.connection() as conn:
        rows = await views_twins.of_issue(
            conn, issue, within=caller.connections, after=page.after(0), limit=page.fetch
        )
    return page.answer(rows, NamedTwin.of_issue, lambda it: it[1].position)


@router.delete(
    "/connections/{name}/twins/{id}",
    responses=problems("connection_unknown", "twin_unknown", "write_in_progress"),
)
async def delete_twin(connection: TheConnection, id: Id, services: Svc, caller: Who) -> Unpairing:
    """Unpair. The links of the pair become unmanaged; none is removed. What goes beyond the guard's
    windows of an hour or a day waits for an approver, in a plan of the kind `unpairings`; until
    then the pair is suspended."""
    twin_id = number(id, "twin_unknown")
    async with services.database.connection() as conn:
        if not await twins.by_ids(conn, connection.id, [twin_id]):
            raise Problem("twin_unknown")
    it = await unpairings.unpair(services.context, connection.id, twin_id, actor=caller.owner)
    plan_id = None if it.plan_id is None else str(it.plan_id)
    return Unpairing(released=it.released, held=it.held, plan_id=plan_id)
