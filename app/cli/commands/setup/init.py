"""`twinlink init`: from two addresses and two tokens to a connection in shadow.

Every step is stored in the service as soon as it is answered, and a step that is done is not asked
about: interrupted, it goes on where it was.
"""

from typing import Annotated

import typer

from app.cli.client.api_client import Service, service
from app.cli.commands.resync import follow
from app.cli.commands.setup import init_connection, init_file, init_sites, init_twins
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.options import ConnectionName, can_ask, counted
from app.cli.output.prompts import Prompts

SiteOption = Annotated[str, typer.Option(metavar="NAME", help="What to call that site here.")]


def init(
    ctx: typer.Context,
    name: ConnectionName = "main",
    *,
    left: SiteOption = "left",
    right: SiteOption = "right",
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="Where to write what is set up.")
    ] = init_file.DEFAULT,
) -> None:
    """Set up a connection step by step, from two addresses and two tokens.

    No link is written: it ends in shadow, with what each mode would do and the configuration as a
    file for `twinlink apply`. Run it again after an interruption, and it goes on.
    """
    if not can_ask():
        raise UsageError(
            "there is no terminal to ask",
            details=["twinlink site put, connection put and twins import take options instead"],
        )
    init_file.refuse_unwritable(file)
    api, ask = service(ctx), Prompts()
    api.get("me")  # first of all: is it there, and does it know us?
    try:
        sites = [init_sites.set_up(api, ask, site) for site in (left, right)]
        connection = init_connection.set_up(api, ask, name, [site["name"] for site in sites])
        init_twins.find(api, ask, connection)
        init_file.write(api, ask, file)
    except (KeyboardInterrupt, typer.Abort):
        output.note("\nwhat you answered is stored: twinlink init goes on from here")
        raise
    _report(api, name, ask.answers)


def _report(api: Service, name: str, answers: int) -> None:
    """What each mode would do, from a comparison under shadow, which writes nothing."""
    made = api.post(f"connections/{name}/resyncs", {"dry_run": False})
    follow(api, made["id"])
    connection = api.get(f"connections/{name}")
    output.line(f"{name} is in mode {connection['mode']}, after {counted(answers, 'answer')}")
    output.line(connection["next_command"])
    output.line("before it may write, declare that the accounts are Twinlink's alone:")
    for side in ("left", "right"):
        output.command(f"twinlink site put {connection[side]['site']} --dedicated")
    output.line("then, a step at a time:")
    output.command(f"twinlink mode {name} create_only")
