"""Pairs that were given up."""

from app.api.http.problems import Problem
from app.api.routing.dependencies import ConnectionFilter, Id, Paged, Svc, Who, number
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed, Queued
from app.api.schemas.failure import DismissalPost, FailureAnswer
from app.store.queue import failed_pairs
from app.store.views import failures

router = api_router("failures")


@router.get("/failures", response_model=Listed[FailureAnswer])
async def list_failures(
    services: Svc,
    caller: Who,
    page: Paged,
    connection: ConnectionFilter = None,
    *,
    dismissed: bool = False,
) -> object:
    """Those that are shown, or with `dismissed` those that a person dismissed."""
    async with services.database.connection() as conn:
        rows = await failures.page(
            conn,
            within=caller.connections,
            connection=connection,
            dismissed=dismissed,
            after=page.after(0),
            limit=page.fetch,
        )
    return page.answer(rows, FailureAnswer.of, lambda it: it.id)


@router.post("/failures/{id}/retry", status_code=202, responses=problems("failure_unknown"))
async def retry_failure(id: Id, services: Svc, caller: Who) -> Queued:
    """Look at the pair again."""
    twin_id = number(id, "failure_unknown")
    async with services.database.transaction() as conn:
        it = await failures.by_id(conn, twin_id, caller.connections)
        if it is None:
            raise Problem("failure_unknown")
        await failed_pairs.retry(conn, it.connection_id, twin_id, services.clock())
    services.wake.soon()
    return Queued(id=id, status="queued")


@router.post("/failures/{id}/dismissal", responses=problems("failure_unknown"))
async def dismiss_failure(id: Id, body: DismissalPost, services: Svc, caller: Who) -> FailureAnswer:
    """Show it no longer, and keep why. It comes back when the pair fails for another cause, or
    again after it ended well."""
    twin_id = number(id, "failure_unknown")
    async with services.database.transaction() as conn:
        it = await failures.by_id(conn, twin_id, caller.connections)
        if it is None:
            raise Problem("failure_unknown")
        await failed_pairs.dismiss(
            conn,
            it.connection_id,
            twin_id,
            reason=body.reason,
            by=caller.owner,
            now=services.clock(),
        )
        it = await failures.by_id(conn, twin_id, caller.connections)
    if it is None:
        raise Problem("failure_unknown")
    return FailureAnswer.of(it)
