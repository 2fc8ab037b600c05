"""Sites: register, change, check, delete."""

import structlog
from fastapi import Response

from app.api.http import etags
from app.api.routing.dependencies import IfMatch, NewName, Paged, Svc, TheSite, Who
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.site import Site, SiteCheck, SiteLinkType, SiteProject, SitePut, SiteStored
from app.store.config import site_types, sites

_LOG = structlog.get_logger(__name__)
router = api_router("sites")
_PUT = problems(
    "site_identity",
    "account_not_dedicated",
    "concurrent_change",
    "secret_key_wrong",
    "secret_misplaced",
    "secret_unbound",
    "stale",
    "validation",
)


@router.put(
    "/sites/{site}",
    responses={**_PUT, 201: {"model": SiteStored, "description": "It is new"}},
)
async def put_site(
    site: NewName, body: SitePut, services: Svc, response: Response, if_match: IfMatch = None
) -> SiteStored:
    """Replace the whole site. One that is down is stored too, and pinned by a later check."""
    await services.binding.ensure()
    async with services.database.connection() as conn:
        known = await sites.by_name(conn, site)
    etags.check(if_match, None if known is None else known.version)
    stored = await services.site_admin.put(site, body.spec(), known, services.clock())
    etags.set_etag(response, stored.site.version)
    if stored.created:
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/sites/{site}"
    return SiteStored.of_stored(stored)


@router.get("/sites", response_model=Listed[Site])
async def list_sites(services: Svc, caller: Who, page: Paged) -> object:
    """In the order of their names."""
    async with services.database.connection() as conn:
        rows = await sites.page(
            conn, within=caller.connections, after=page.after_name(), limit=page.fetch
        )
    return page.answer(rows, Site.of, lambda row: row.name)


@router.get("/sites/{site}", responses=problems("site_unknown"))
async def get_site(site: TheSite, response: Response) -> Site:
    etags.set_etag(response, site.version)
    return Site.of(site)


@router.get(
    "/sites/{site}/link_types",
    response_model=Listed[SiteLinkType],
    responses=problems("site_unknown"),
)
async def list_link_types(site: TheSite, services: Svc) -> object:
    """As the last check, comparison or connection found them."""
    async with services.database.connection() as conn:
        return {"items": await site_types.of_site(conn, site.id), "next": None}


@router.get(
    "/sites/{site}/projects",
    response_model=Listed[SiteProject],
    responses=problems("site_unknown", "site_unavailable", "site_refuses"),
)
async def list_projects(site: TheSite, services: Svc) -> object:
    """Those that Jira shows our account now."""
    return {"items": await services.site_admin.projects(site), "next": None}


@router.delete("/sites/{site}", status_code=204, responses=problems("site_unknown", "site_in_use"))
async def delete_site(site: TheSite, services: Svc) -> None:
    """Only a site that no connection ever joined: the audit names it."""
    await services.site_admin.delete(site, services.clock())


@router.post(
    "/sites/{site}/check",
    responses=problems(
        "site_unknown",
        "concurrent_change",
        "secret_key_wrong",
        "secret_misplaced",
        "secret_unbound",
    ),
)
async def check_site(site: TheSite, services: Svc) -> SiteCheck:
    """Ask the site who it is and who we are to it; pin both the first time."""
    return SiteCheck.of(await services.site_admin.check(site, services.clock()))


@router.post("/sites/{site}/unlock", responses=problems("site_unknown"))
async def unlock_site(site: TheSite, services: Svc, who: Who) -> Site:
    """Let calls leave again for a site that asked for a CAPTCHA, once a person has solved it."""
    unlocked = await services.site_admin.unlock(site)
    _LOG.info("site_unlocked", site=site.name, by=who.owner)
    return Site.of(unlocked)
