"""`twinlink token`: the tokens of the API."""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output, times
from app.cli.output.options import Json, Limit, RowId, Yes, confirm

app = typer.Typer(help="Tokens for the API.", no_args_is_help=True)

_COLUMNS: output.Columns = (
    ("ID", "id"),
    ("ROLE", "role"),
    ("OWNER", "owner"),
    ("CONNECTIONS", "connections"),
    ("MADE", "created_at"),
    ("EXPIRES", "expires_at"),
    ("LAST USED", "last_used_at"),
)


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


@app.command()
def create(
    ctx: typer.Context,
    role: Role,
    *,
    owner: Annotated[
        str,
        typer.Option(help="Who is responsible for it. A second approval needs another owner."),
    ],
    connection: Annotated[
        list[str] | None, typer.Option(help="Limit it to this connection; repeatable.")
    ] = None,
    expires: Annotated[str | None, times.ends("When it ends")] = None,
    json: Json = False,
) -> None:
    """Make a token. Its text is printed once and not stored."""
    body = {
        "role": role.value,
        "owner": owner,
        "connections": connection or None,
        "expires_at": expires,
    }
    made = service(ctx).post("tokens", {k: v for k, v in body.items() if v is not None})
    if json:
        output.document(made)
    else:
        output.line(made["token"])
        output.note(f"token {made['id']}, {made['role']} of {made['owner']}; shown this once")


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = 100, json: Json = False) -> None:
    """List all tokens that are not revoked, without their texts."""
    output.listed(service(ctx).listing("tokens", limit=limit), _COLUMNS, "no tokens", json=json)


@app.command()
def revoke(ctx: typer.Context, id: RowId, yes: Yes = False, json: Json = False) -> None:
    """Revoke a token at once."""
    api = service(ctx)
    confirm(f"From now on the service refuses token {id}.", yes=yes)
    api.delete(f"tokens/{id}")
    if json:
        output.document({"revoked": str(id)})
    else:
        output.line(f"token {id} is revoked")
