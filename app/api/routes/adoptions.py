"""Adoptions: ask for one, follow it. Its plan is approved like any other."""

from fastapi import Response

from app.api.auth.roles import V1
from app.api.http.pages import LARGEST
from app.api.http.problems import Problem
from app.api.routing.dependencies import Id, Paged, Svc, TheConnection, Who, number
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.adoption import AdoptionAnswer, AdoptionMade, AdoptionPost
from app.api.schemas.base import Listed
from app.core.config import Problem as FieldProblem
from app.store.views import adoptions
from app.sync.recovery import adopt

router = api_router("adoptions")


@router.post(
    "/connections/{name}/adoptions",
    status_code=202,
    responses=problems("connection_unknown", "account_unconfirmed"),
)
async def post_adoption(
    body: AdoptionPost, connection: TheConnection, services: Svc, caller: Who, response: Response
) -> AdoptionMade:
    """Plan to take over links that an account wrote on exactly one side of a pair: that side
    becomes the mirror. Nothing is taken over before two owners approved the plan, and nothing in
    Jira changes then; afterwards the pair is kept in step.

    The plan lists every pair that is not managed, with the reason where it is left alone. An
    account that wrote links which are no pairs is refused with their number, unless
    `confirm_account` repeats it: the adoption ends as `refused`, and the next request without it is
    409.
    """
    if body.confirm_account not in {None, body.account_id}:
        errors = [FieldProblem("/confirm_account", "must repeat account_id")]
        raise Problem("validation", errors=errors)
    if body.since >= body.until:
        raise Problem("validation", errors=[FieldProblem("/until", "must be after since")])
    made, plan_id = await adopt.request(
        services.database,
        connection.id,
        body.account_id,
        since=body.since,
        until=body.until,
        confirmed=body.confirm_account is not None,
        requested_by=caller.owner,
        now=services.clock(),
    )
    services.wake.soon()
    response.headers["Location"] = f"{V1}/connections/{connection.name}/adoptions/{made}"
    return AdoptionMade(id=str(made), plan_id=str(plan_id), status="planning")


@router.get(
    "/connections/{name}/adoptions",
    response_model=Listed[AdoptionAnswer],
    responses=problems("connection_unknown"),
)
async def list_adoptions(connection: TheConnection, services: Svc, page: Paged) -> object:
    """Newest first."""
    async with services.database.connection() as conn:
        rows = await adoptions.page(
            conn, connection.id, before=page.after(LARGEST), limit=page.fetch
        )
    return page.answer(rows, AdoptionAnswer.of, lambda it: it.id)


@router.get(
    "/connections/{name}/adoptions/{id}",
    responses=problems("connection_unknown", "adoption_unknown"),
)
async def get_adoption(connection: TheConnection, id: Id, services: Svc) -> AdoptionAnswer:
    async with services.database.connection() as conn:
        row = await adoptions.by_id(conn, connection.id, number(id, "adoption_unknown"))
    if row is None:
        raise Problem("adoption_unknown")
    return AdoptionAnswer.of(row)
