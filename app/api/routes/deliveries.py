"""What Jira delivered."""

from typing import Annotated

from fastapi import Query

from app.api.http.pages import LARGEST
from app.api.routing.dependencies import Paged, SiteFilter, Svc, Who
from app.api.routing.route import api_router
from app.api.schemas.base import Listed, Moment
from app.api.schemas.delivery import DeliveryAnswer, Kind
from app.store.views import deliveries

router = api_router("deliveries")


@router.get("/deliveries", response_model=Listed[DeliveryAnswer])
async def list_deliveries(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    site: SiteFilter = None,
    kind: Kind | None = None,
    since: Annotated[Moment | None, Query()] = None,
) -> object:
    """Newest first. A confined token sees those that name only issues paired in its connections and
    in their scope."""
    async with services.database.connection() as conn:
        rows = await deliveries.page(
            conn,
            within=caller.connections,
            site=site,
            kind=kind,
            since=since,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    return page.answer(rows, DeliveryAnswer.of, lambda it: it.id)
