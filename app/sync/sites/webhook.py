"""The webhook that a site is to have for us: its address, whether Jira has it, and making it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from app.core.config import Problem
from app.core.errors import TwinlinkError
from app.jira.client import JiraClient, Webhook, WebhookRequest
from app.jira.webhooks.address import NoAddress, completed, unreachable_reason
from app.jira.webhooks.admin import EVENTS
from app.store.config.sites import SiteRow
from app.store.config.vault import Vault
from app.store.pool import Database
from app.store.secret_homes import WEBHOOK
from app.store.upkeep import installation
from app.sync.runtime.refusals import Refused, invalid, site_failed

NAME: Final = "Twinlink"
_SECONDS = 5.0
"""How long a person waits to learn whether Jira has the webhook already."""


@dataclass(frozen=True, slots=True)
class Target:
    """`url` is None where nothing says at which address Jira reaches us; `unreachable` is why Jira
    cannot call it, as far as the address alone shows."""

    url: str | None
    unreachable: str | None
    events: tuple[str, ...] = EVENTS


@dataclass(frozen=True, slots=True)
class SiteWebhooks:
    """*public_url* is this service's address for Jira; *named* the installation it is."""

    database: Database
    vault: Vault
    client: Callable[[int], Awaitable[JiraClient]]
    public_url: str | None
    named: str | None

    def target(self, site: SiteRow, url: str | None) -> Target:
        """Raises `Refused` for a *url* that cannot be an address."""
        base = url or self.public_url
        if base is None:
            return Target(None, None)
        try:
            whole = completed(base, site.name)
        except NoAddress as fault:
            raise invalid(Problem("/url", str(fault))) from None
        why = unreachable_reason(whole, site_url=site.base_url, deployment=site.deployment)
        return Target(whole, why)

    async def registered(self, site: SiteRow, target: Target) -> bool | None:
        """Whether Jira has this webhook. None: it does not say, or not to this account."""
        try:
            async with asyncio.timeout(_SECONDS):
                hooks = await (await self.client(site.id)).list_webhooks()
        except (TwinlinkError, TimeoutError):
            return None
        return any(hook.url == target.url and hook.enabled for hook in hooks)

    async def register(self, site: SiteRow, url: str | None) -> Target:
        """In place of one with the same address. Raises `Refused`, and `TransientError` where the
        site does not answer or refuses: it needs the Administer Jira permission."""
        target = self.target(site, url)
        if target.url is None:
            raise invalid(Problem("/url", "is required: TWINLINK_PUBLIC_URL is not set"))
        if target.unreachable is not None:
            raise invalid(Problem("/url", f"would never be called: {target.unreachable}"))
        async with self.database.connection() as conn:
            owner = await installation.named(conn)
        if owner is not None and owner != self.named:
            # A copy of a database must not change the webhooks of its Jira.
            raise Refused("other_installation")
        try:
            client = await self.client(site.id)
            secret = self.vault.open(site.webhook_secret_sealed, site.home, WEBHOOK)
            await put(client, target.url, secret, replace=True)
        except TwinlinkError as error:
            raise site_failed(error, site=site.name) from error
        return target


async def put(jira: JiraClient, url: str, secret: str, *, replace: bool) -> Webhook:
    """The webhook of this address; an existing one is kept unless *replace*."""
    former = [hook for hook in await jira.list_webhooks() if hook.url == url]
    if former and not replace:
        return former[0]
    hook = await jira.register_webhook(WebhookRequest(NAME, url, secret))
    # In this order events may arrive twice, which does no harm, and none is missed.
    for one in former:
        await jira.remove_webhook(one.id)
    return hook
