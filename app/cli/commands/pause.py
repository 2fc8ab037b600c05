"""`twinlink pause` and `twinlink resume`: stop and resume writing."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.options import AnyConnection, Json

_All = Annotated[bool, typer.Option("--all", help="All connections, with one switch.")]


def pause(
    ctx: typer.Context, name: AnyConnection = None, all_: _All = False, json: Json = False
) -> None:
    """Stop writing to Jira and only store webhooks. No write begins once this has returned."""
    _say(_post(ctx, "pause", name, all_), name, json=json)


def resume(
    ctx: typer.Context, name: AnyConnection = None, all_: _All = False, json: Json = False
) -> None:
    """End a pause. With --all, connections that were paused one by one stay paused."""
    _say(_post(ctx, "resume", name, all_), name, json=json)


def _post(ctx: typer.Context, verb: str, name: str | None, all_: bool) -> dict[str, Any]:
    if (name is None) != all_:
        raise UsageError("name a connection, or give --all")
    path = verb if name is None else f"connections/{name}/{verb}"
    answer: dict[str, Any] = service(ctx).post(path)
    return answer


def _say(answer: dict[str, Any], name: str | None, *, json: bool) -> None:
    if json:
        output.document(answer)
        return
    what = "everything" if name is None else name
    output.line(f"{what} is paused" if answer["paused"] else f"{what} is resumed")
    if name is not None and answer["paused"] and not answer["paused_at"]:
        output.note("everything is paused; to resume: twinlink resume --all")
