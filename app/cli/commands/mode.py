"""`twinlink mode`: what a connection may write."""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli.client.api_client import service
from app.cli.output import output
from app.cli.output.options import ConnectionName, Json


class Mode(StrEnum):
    SHADOW = "shadow"
    CREATE_ONLY = "create_only"
    REVIEW = "review"
    LIVE = "live"


def mode(
    ctx: typer.Context,
    name: ConnectionName,
    wanted: Annotated[Mode | None, typer.Argument(metavar="MODE")] = None,
    json: Json = False,
) -> None:
    """Show or set the mode: shadow (only plans), create_only, review (holds removals) or live."""
    api, path = service(ctx), f"connections/{name}"
    set_ = wanted and {"mode": wanted.value}
    answer = api.put(f"{path}/mode", set_) if set_ else api.get(path)
    if json:
        output.document(answer)
    else:
        output.line(f"{name} is in mode {answer['mode']}")
        if answer.get("next_command"):
            output.note(f"next: {answer['next_command']}")
