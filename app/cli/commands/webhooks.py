"""`twinlink webhooks`: the webhooks that a Jira site has registered for us.

It runs where the service runs, with its database and secret key: it also lists and removes, for
which there is no route, and the secret never leaves the service.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.cli.client.data_dir import client_settings
from app.cli.client.webhook_address import completed, unreachable_reason
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.options import Json, SiteName, Yes, confirm

if TYPE_CHECKING:
    from app.jira.client import JiraClient, Webhook
    from app.store.config.sites import SiteRow
    from app.wiring import Services

T = TypeVar("T")
Act = Callable[["Services", "SiteRow", "JiraClient"], Awaitable[T]]

app = typer.Typer(
    help="The webhooks of a Jira site. Run it where the service runs: it needs "
    "TWINLINK_DATABASE_URL and TWINLINK_SECRET_KEY (found by itself where `twinlink up` runs), and "
    "a site account with the Administer Jira permission.",
    no_args_is_help=True,
)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("ADDRESS", "url"),
    ("ENABLED", "enabled"),
    ("SIGNED", "signed"),
    ("EVENTS", "events"),
)
_Url = Annotated[
    str | None,
    typer.Option(
        help="Where the site reaches us, such as https://twinlink.example.org; the path is"
        " appended. Default: TWINLINK_PUBLIC_URL."
    ),
]


@app.command("list")
def list_(site: SiteName, json: Json = False) -> None:
    """List all webhooks of the site, ours and others."""
    hooks = [_plain(hook) for hook in _on_site(site, lambda _s, _r, jira: jira.list_webhooks())]
    if json:
        output.document({"items": hooks})
    else:
        output.table(_COLUMNS, hooks, empty=f"{site} has no webhooks")


@app.command()
def register(
    site: SiteName,
    url: _Url = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an existing webhook, with a new secret.")
    ] = False,
    json: Json = False,
) -> None:
    """Register a webhook for link and issue events, signed with the stored secret."""
    hook = registered(site, url, replace=replace)
    if json:
        output.document(hook)
    else:
        output.fields(hook, tuple((heading.lower(), path) for heading, path in _COLUMNS))


def address(site: str, url: str | None = None) -> str:
    """Where the site's deliveries are taken."""
    settings = client_settings()
    return completed(url or settings.public_url or settings.api_url, site)


def registered(site: str, url: str | None, *, replace: bool) -> dict[str, Any]:
    """The site's webhook for us. Raises `CommandError` and `TwinlinkError`."""
    target = address(site, url)

    async def act(services: "Services", row: "SiteRow", jira: "JiraClient") -> "Webhook":
        from app.store.secret_homes import WEBHOOK  # noqa: PLC0415 - loaded with the services
        from app.sync.sites import webhook  # noqa: PLC0415

        _refuse_unreachable(target, row)
        secret = services.vault.open(row.webhook_secret_sealed, row.home, WEBHOOK)
        return await webhook.put(jira, target, secret, replace=replace)

    return _plain(_on_site(site, act))


@app.command()
def remove(
    site: SiteName,
    webhook: Annotated[str, typer.Argument(metavar="ID", help="Id from `list`.")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a webhook from the site. Then only polling finds its changes."""
    confirm(f"Webhook {webhook} will be removed from {site}.", yes=yes)
    if not _on_site(site, lambda _s, _r, jira: jira.remove_webhook(webhook)):
        raise CommandError(f"{site} has no webhook {webhook}")
    if json:
        output.document({"removed": webhook})
    else:
        output.line(f"webhook {webhook} is removed from {site}")


def _refuse_unreachable(target: str, row: "SiteRow") -> None:
    why = unreachable_reason(target, site_url=row.base_url, deployment=row.deployment)
    if why is not None:
        raise CommandError(
            f"the webhook would never arrive: {why}",
            details=["set TWINLINK_PUBLIC_URL to the address at which Jira reaches us, or --url"],
        )


def _on_site(name: str, act: Act[T]) -> T:
    return asyncio.run(_with_client(name, act))


async def _with_client(name: str, act: Act[T]) -> T:
    from app.store.config.sites import by_name  # noqa: PLC0415
    from app.store.upkeep import installation  # noqa: PLC0415 - slow, and other nouns speak REST
    from app.wiring import open_services  # noqa: PLC0415

    settings = client_settings()
    async with open_services(settings) as services:
        await (
            services.binding.ensure()
        )  # it changes the row, whose secrets are read as they are here
        async with services.database.connection() as conn:
            row = await by_name(conn, name)
            owner = await installation.named(conn)
        if row is None:
            raise CommandError(f"there is no site {name}")
        if owner is not None and owner != settings.installation:
            raise CommandError(
                f"the database belongs to the installation {owner}",
                details=["a copy of a database must not change the webhooks of its Jira"],
            )
        return await act(services, row, await services.sites.client(row.id))


def _plain(hook: "Webhook") -> dict[str, Any]:
    return asdict(hook) | {"events": list(hook.events)}
