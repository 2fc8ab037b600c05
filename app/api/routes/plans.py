"""Plans: what would be done, is held, or was; and a person's decision on those that wait."""

from typing import Annotated, Literal

from fastapi import Header, Query, Response

from app.api.auth.auth import Caller
from app.api.auth.roles import V1
from app.api.http.media import preferred
from app.api.http.pages import LARGEST, Page
from app.api.http.problems import Problem
from app.api.routing.dependencies import (
    ConnectionFilter,
    Id,
    IssueFilter,
    Paged,
    PagedWhole,
    Svc,
    Who,
    first_page,
    number,
)
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed, Note
from app.api.schemas.plan import Change, Decision, PlanAnswer, PlanSummary, Status
from app.core.plan import as_markdown, as_text
from app.store.guard import held_plans as stored
from app.store.views import plans
from app.store.views.plans import PlanShown
from app.sync.guard import held_plans
from app.wiring import Services

router = api_router("plans")

Format = Literal["json", "text", "markdown"]
_MEDIA: dict[Format, str] = {
    "json": "application/json",
    "text": "text/plain",
    "markdown": "text/markdown",
}
_RENDERED = {media: {"schema": {"type": "string"}} for media in ("text/plain", "text/markdown")}
LONGEST = 10_000
"""Changes of a plan that is rendered whole; a longer one is paged through."""
_REFUSED = ("plan_unknown", "plan_not_sealed", "plan_digest", "plan_decided", "plan_expired")


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
        rows = await plans.page(
            conn,
            within=caller.connections,
            connection=connection,
            status=status,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    return page.answer(rows, PlanSummary.of, lambda it: it.id)


@router.get(
    "/plans/{id}",
    response_model=PlanAnswer,
    responses={**problems("plan_unknown"), 200: {"content": _RENDERED}},
)
async def get_plan(
    id: Id,
    services: Svc,
    caller: Who,
    page: PagedWhole,
    *,
    issue: IssueFilter = None,
    undone: Annotated[
        bool, Query(description="Only changes that were decided about and not made")
    ] = False,
    format: Annotated[Format | None, Query(description="Goes before `Accept`")] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> object:
    """With its changes; those beyond `limit` follow with `cursor`. As text or Markdown it is
    whole, as long as it has no more than 10,000 changes. The counts are always of all."""
    plan = await _plan(services, caller, id)
    media = _MEDIA[format] if format else preferred(accept, list(_MEDIA.values()))
    if media == _MEDIA["json"]:
        return await _answer(services, plan, page, issue=issue, undone=undone)
    if plan.changes > LONGEST:
        raise Problem("not_acceptable", "it is too long: page through it as application/json")
    async with services.database.connection() as conn:
        value = await stored.value(conn, plan.id)
    rendered = as_text(value) if media == _MEDIA["text"] else as_markdown(value)
    return Response(rendered, media_type=media)


@router.post(
    "/plans/{id}/approval",
    responses=problems(*_REFUSED, "second_owner"),
)
async def approve_plan(id: Id, body: Decision, services: Svc, caller: Who) -> PlanAnswer:
    """Apply exactly the plan of this digest, outside the guard's windows; each change is judged
    anew, and what no longer holds is skipped. Where the connection asks for two owners, the
    first approval leaves it `approved`, and another owner's applies it."""
    plan = await _decidable(services, caller, id)
    await held_plans.approve(
        services.database,
        plan.id,
        body.digest,
        by=caller.owner,
        note=body.note,
        now=services.clock(),
        confined=caller.connections is not None,
    )
    services.wake.soon()
    return await _decided(services, caller, id)


@router.delete(
    "/plans/{id}/approval",
    responses=problems("plan_unknown", "plan_not_sealed", "plan_not_approved", "plan_expired"),
)
async def revoke_approval(
    id: Id,
    services: Svc,
    caller: Who,
    *,
    note: Annotated[Note, Query(description="Why; it is kept with the plan")] = "",
) -> PlanAnswer:
    """Apply no more of a plan. Its open changes wait for a decision again, at the same digest;
    what is written already stays, and a write that has begun ends."""
    plan = await _decidable(services, caller, id)
    await held_plans.revoke(
        services.database, plan.id, by=caller.owner, note=note, now=services.clock()
    )
    return await _decided(services, caller, id)


@router.post("/plans/{id}/rejection", responses=problems(*_REFUSED))
async def reject_plan(id: Id, body: Decision, services: Svc, caller: Who) -> PlanAnswer:
    """Keep what it would change: links that it would remove are detached, and nothing removes
    them again; pairs that it would let go, go on as pairs that a person made."""
    plan = await _decidable(services, caller, id)
    await held_plans.reject(
        services.database,
        plan.id,
        body.digest,
        by=caller.owner,
        note=body.note,
        now=services.clock(),
    )
    return await _decided(services, caller, id)


async def _plan(services: Services, caller: Caller, id: str) -> PlanShown:
    plan_id = number(id, "plan_unknown")
    async with services.database.connection() as conn:
        plan = await plans.by_id(conn, plan_id, caller.connections)
    if plan is None:
        raise Problem("plan_unknown")
    return plan


async def _decidable(services: Services, caller: Caller, id: str) -> PlanShown:
    plan = await _plan(services, caller, id)
    if not plan.kind.decidable:
        raise Problem("plan_not_sealed", "it shows what would be done, and does nothing")
    return plan


async def _decided(services: Services, caller: Caller, id: str) -> PlanAnswer:
    plan = await _plan(services, caller, id)
    return await _answer(services, plan, first_page(services, caller, f"{V1}/plans/{id}"))


async def _answer(
    services: Services,
    plan: PlanShown,
    page: Page,
    *,
    issue: str | None = None,
    undone: bool = False,
) -> PlanAnswer:
    async with services.database.connection() as conn:
        found = await plans.changes(
            conn,
            plan.id,
            issue=issue,
            undone=undone,
            after=page.after_name(),
            limit=page.fetch,
        )
        origins = await plans.origins_removed(conn, plan.id)
    shown = page.answer(found, Change.of, lambda change: change.position)
    return PlanAnswer.of_plan(plan, shown["items"], shown["next"], origins)
