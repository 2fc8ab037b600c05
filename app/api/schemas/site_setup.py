"""What setting up a site needs beside the site: what its address leads to, and its webhook."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import Answer, Body, Storable
from app.api.schemas.site import Deployment, Url
from app.sync.sites.address import Stated
from app.sync.sites.webhook import Target


class AddressPost(Body):
    address: Annotated[str, Field(min_length=1, max_length=2048), Storable] = Field(
        description="As it is in the address bar; the page that is open there may be part of it"
    )


class AddressAnswer(Answer):
    base_url: str
    deployment: Deployment | None = Field(
        description="As that Jira says itself; null: it does not say so to a stranger"
    )

    @classmethod
    def of(cls, it: Stated) -> "AddressAnswer":
        return cls.copied(it)


class WebhookPost(Body):
    url: Url | None = Field(
        None,
        description="Where Jira reaches this service; the path is appended. Left out:"
        " `TWINLINK_PUBLIC_URL`",
    )


class WebhookAnswer(Answer):
    """Its secret is the site's, and is not shown."""

    url: str | None = Field(description="null: nothing says where Jira reaches this service")
    events: list[str]
    unreachable: str | None = Field(description="Why Jira cannot call that address, where known")
    registered: bool | None = Field(
        description="Whether Jira has it, enabled; null: Jira does not say so to our account"
    )

    @classmethod
    def of(cls, it: Target, *, registered: bool | None) -> "WebhookAnswer":
        return cls.copied(it, events=list(it.events), registered=registered)
