"""`twinlink site`: the Jira sites."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli.client.api_client import Refused, Service, service
from app.cli.output import output, times
from app.cli.output.errors import UsageError
from app.cli.output.files import STDIN, object_of, secret_of
from app.cli.output.options import Json, Limit, SiteName, Yes, confirm
from app.core.connection.as_sent import site_as_sent
from app.process.exit_code import ExitCode

app = typer.Typer(help="The Jira sites.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("NAME", "name"),
    ("DEPLOYMENT", "deployment"),
    ("ADDRESS", "base_url"),
    ("DEDICATED", "account_dedicated"),
    ("IDENTITY", "identity"),
    ("CHECKED", "checked_at"),
)
_FIELDS: output.Columns = (
    ("name", "name"),
    ("address", "base_url"),
    ("for people", "web_url"),
    ("deployment", "deployment"),
    ("signs in by", "auth.kind"),
    ("dedicated", "account_dedicated"),
    ("calls per second", "requests_per_second"),
    ("token expires", "token_expires_at"),
    ("second token", "second_token"),
    ("second token took over", "token_replaced_at"),
    ("takes basic webhooks", "webhook_basic"),
    ("way out", "proxy.kind"),
    ("identity", "identity"),
    ("account", "account_id"),
    ("checked", "checked_at"),
    ("calls stopped since", "circuit_open_since"),
    ("needs a CAPTCHA since", "locked_since"),
    ("former secret until", "previous_secret_until"),
)
_FINDINGS: output.Columns = (("SEVERITY", "severity"), ("FINDING", "code"), ("DETAIL", "detail"))
_PROJECTS: output.Columns = (("KEY", "key"),)
_TYPES: output.Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("OUTWARD", "outward"),
    ("INWARD", "inward"),
)


class Deployment(StrEnum):
    CLOUD = "cloud"
    DATACENTER = "datacenter"


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 100, json: Json = False) -> None:
    """List all sites."""
    found = service(ctx).listing("sites", limit=limit)
    empty = "no sites yet: twinlink site put --help"
    output.listed(found, _COLUMNS, empty, json=json)


@app.command()
def show(ctx: typer.Context, name: SiteName, json: Json = False) -> None:
    """Show a site. Secrets are never shown."""
    shown(service(ctx).get(f"sites/{name}"), json=json)


Dedicated = Annotated[bool | None, typer.Option(help="Only this installation uses the account.")]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0, help="Calls per second to the site; 0: the limits that Jira Cloud documents."
    ),
]

Expires = Annotated[str | None, times.ends("When the token expires")]


@app.command()
def put(
    ctx: typer.Context,
    name: SiteName,
    *,
    file: Annotated[
        str | None, typer.Option(help="The whole configuration as JSON or TOML; `-`: stdin.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of its REST API.")] = None,
    web_url: Annotated[str | None, typer.Option(help="Its web address, if different.")] = None,
    deployment: Annotated[Deployment | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option(help="Without it the token is a bearer.")] = None,
    token_file: Annotated[str | None, typer.Option(help="API token file; `-`: stdin.")] = None,
    webhook_secret_file: Annotated[
        str | None,
        typer.Option(help="File with a webhook secret of 16 characters or more; `-`: stdin."),
    ] = None,
    dedicated: Dedicated = None,
    rate: Rate = None,
    token_expires: Expires = None,
    json: Json = False,
) -> None:
    """Add or change a site. Options change only what they name; --file replaces everything."""
    api = service(ctx)
    if token_file == webhook_secret_file == STDIN:
        raise UsageError("standard input can hold one secret only")
    chosen = {
        "base_url": base_url,
        "web_url": web_url,
        "deployment": deployment,
        "account_dedicated": dedicated,
        "requests_per_second": rate,
        "token_expires_at": token_expires,
        "webhook_secret": secret_of(webhook_secret_file),
        "auth": _auth(email, secret_of(token_file)),
    }
    chosen = {field: value for field, value in chosen.items() if value is not None}
    if file is not None and chosen:
        raise UsageError("--file holds the whole site: leave out the other options")
    if file is not None:
        stored = api.put(f"sites/{name}", object_of(file))
    else:
        stored = changed(api, name, chosen)
    _end(name, stored, json=json)


def _end(name: str, stored: dict[str, Any], *, json: bool) -> None:
    """What was stored and what comes next; a failure where the site cannot be used as it is."""
    shown(stored, json=json)
    failed = any(it["severity"] == "error" for it in stored.get("findings", ()))
    if not json:
        again = f"correct it, then twinlink site check {name}"
        output.note(f"next: {again if failed else f'twinlink webhooks register {name}'}")
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def changed(api: Service, name: str, chosen: dict[str, Any]) -> Any:
    """Send the chosen settings with the present value of the others."""
    known = _known(api, name)
    version = known["version"] if known else None
    wanted = site_as_sent(known, chosen)
    return api.put(f"sites/{name}", wanted, revision=version)


@app.command()
def check(ctx: typer.Context, name: SiteName, json: Json = False) -> None:
    """Ask the site for its identity and our account. The first check pins both."""
    checked = service(ctx).post(f"sites/{name}/check")
    if json:
        output.document(checked)
    else:
        output.table(_FINDINGS, checked["findings"], empty="no findings")
        output.line(f"{name} is {'fine' if checked['ok'] else 'not fit for use'}")
    if not checked["ok"]:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def projects(ctx: typer.Context, name: SiteName, json: Json = False) -> None:
    """List the projects that the site shows our account now."""
    found = service(ctx).get(f"sites/{name}/projects")
    output.listed(found, _PROJECTS, "it shows the account no project", json=json)


@app.command()
def types(ctx: typer.Context, name: SiteName, json: Json = False) -> None:
    """List the site's link types. `connection put --link-type` takes their names."""
    found = service(ctx).get(f"sites/{name}/link_types")
    output.listed(found, _TYPES, "none is known: twinlink site check " + name, json=json)


@app.command()
def unlock(ctx: typer.Context, name: SiteName, json: Json = False) -> None:
    """Allow calls again to a site that asked for a CAPTCHA. First solve it there, in a browser and
    as our account; otherwise the next call locks the site again."""
    shown(service(ctx).post(f"sites/{name}/unlock"), json=json)


@app.command()
def delete(ctx: typer.Context, name: SiteName, yes: Yes = False, json: Json = False) -> None:
    """Delete a site that no connection has ever used."""
    api = service(ctx)
    confirm(f"This deletes {name} and its credentials here. Nothing changes in Jira.", yes=yes)
    api.delete(f"sites/{name}")
    if json:
        output.document({"deleted": name})
    else:
        output.line(f"{name} is deleted")


def _auth(email: str | None, token: str | None) -> dict[str, str] | None:
    if email is not None:
        return {"kind": "basic", "email": email} | ({"token": token} if token else {})
    return {"kind": "bearer", "token": token} if token else None


def _known(api: Service, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = api.get(f"sites/{name}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    return found


def shown(site: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(site)
        return
    output.fields(site, _FIELDS)
    if site.get("findings"):
        output.table(_FINDINGS, site["findings"], empty="")
