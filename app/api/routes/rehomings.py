"""Re-homings: a site moved to another Jira. The plans are approved like any other."""

from app.api.routing.dependencies import Svc, TheSite, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.rehoming import (
    RehomingAnswer,
    RehomingMade,
    RehomingPost,
    Rehomings,
    RehomingsMade,
)
from app.store.recovery import rehomings
from app.sync.connections import rehome

router = api_router("sites")
LARGEST = 1000


@router.post(
    "/sites/{site}/rehomings",
    status_code=202,
    responses=problems(
        "site_unknown",
        "site_unchecked",
        "account_not_dedicated",
        "concurrent_change",
        "projects_connected",
        "site_unavailable",
        "site_refuses",
    ),
)
async def post_rehoming(
    body: RehomingPost, site: TheSite, services: Svc, caller: Who
) -> RehomingsMade:
    """Plan to carry the connections of a site over to the one that it has moved to, where every id
    is new. Each gets a successor, paused until its plan is applied and in review from then on.

    Twins are found again by key. The plan lists every link: what is carried over because key,
    type, ends and author match, and the rest with the reason. Two owners approve it. The connection
    of before stays, paused, with the rest: ask again when more has moved. Nothing in Jira changes.
    """
    made = await rehome.request(
        services.connection_admin,
        site,
        body.to,
        body.connection,
        by=caller.owner,
        now=services.clock(),
    )
    return RehomingsMade(items=[RehomingMade.of(it) for it in made])


@router.get("/sites/{site}/rehomings", responses=problems("site_unknown"))
async def list_rehomings(site: TheSite, services: Svc) -> Rehomings:
    """Of the connections that the site had, newest first; a thousand at most."""
    async with services.database.connection() as conn:
        rows = await rehomings.of_site(conn, site.id, limit=LARGEST)
    return Rehomings(items=[RehomingAnswer.of_shown(it) for it in rows])
