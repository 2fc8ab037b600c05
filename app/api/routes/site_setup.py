"""What setting up a site needs beside the site: what its address leads to, and its webhook."""

from typing import Annotated

from fastapi import Query

from app.api.routing.dependencies import Svc, TheSite
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.site import Url
from app.api.schemas.site_setup import AddressAnswer, AddressPost, WebhookAnswer, WebhookPost

router = api_router("sites")


@router.post("/site_addresses", responses=problems("validation"))
async def look_at_address(body: AddressPost, services: Svc) -> AddressAnswer:
    """Where the REST API of a Jira is, and which deployment it says it is. Nothing is stored and
    no credentials leave."""
    return AddressAnswer.of(await services.addresses.look(body.address))


@router.get(
    "/sites/{site}/webhook",
    responses=problems("site_unknown", "validation"),
)
async def get_webhook(
    site: TheSite,
    services: Svc,
    *,
    url: Annotated[Url | None, Query(description="As `POST` takes it")] = None,
) -> WebhookAnswer:
    """The webhook that this site is to have. Jira is asked whether it has it."""
    target = services.webhooks.target(site, url)
    registered = None
    if target.url is not None:
        registered = await services.webhooks.registered(site, target)
    return WebhookAnswer.of(target, registered=registered)


@router.post(
    "/sites/{site}/webhook",
    responses=problems(
        "site_unknown", "validation", "other_installation", "site_unavailable", "site_refuses"
    ),
)
async def register_webhook(site: TheSite, body: WebhookPost, services: Svc) -> WebhookAnswer:
    """Make it in Jira, signed with the stored secret, in place of one with the same address. Our
    account needs Administer Jira for it."""
    target = await services.webhooks.register(site, body.url)
    return WebhookAnswer.of(target, registered=True)
