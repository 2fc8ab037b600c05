"""Plans: what would be done, is held, or was."""

from app.api.context import ConnectionFilter, Id, Paged, PagedWhole, Svc, Who, number
from app.api.documents import problems
from app.api.listing import LARGEST
from app.api.problems import Problem
from app.api.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.plan import Change, PlanAnswer, PlanSummary, Status
from app.store import plans_read

router = api_router("plans")


@router.get("/plans", response_model=Listed[PlanSummary])
async def list_plans(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    connection: ConnectionFilter = None,
    status: Status | None = None,
) -> object:
    """Newest first, without their changes."""
    async with services.database.connection() as conn:
        rows = await plans_read.page(
            conn,
            names=caller.connections,
            connection=connection,
            status=status,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    return page.answer(rows, PlanSummary.of, lambda row: row["id"])


@router.get("/plans/{id}", responses=problems("plan_unknown"))
async def get_plan(id: Id, services: Svc, caller: Who, page: PagedWhole) -> PlanAnswer:
    """With its changes; those beyond `limit` follow with `cursor`."""
    plan_id = number(id, "plan_unknown")
    async with services.database.connection() as conn:
        row = await plans_read.by_id(conn, plan_id, caller.connections)
        if row is None:
            raise Problem("plan_unknown")
        after = page.after_name()
        found = await plans_read.changes(conn, plan_id, after=after, limit=page.fetch)
    shown = page.answer(found, Change.of, lambda change: change["position"])
    return PlanAnswer.of_plan(row, shown["items"], shown["next"])
