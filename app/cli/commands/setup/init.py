"""`twinlink init`: from two addresses and two tokens to a connection in shadow.

Every step is stored in the service as soon as it is answered, and a step that is done is not asked
about: interrupted, it goes on where it was.
"""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.client.connection_config import current
from app.cli.commands.resync import follow
from app.cli.commands.setup import init_sites, init_twins
from app.cli.output import output
from app.cli.output.errors import CommandError, UsageError
from app.cli.output.options import ConnectionName, can_ask, counted
from app.cli.output.prompts import Prompts
from app.core.connection.type_proposal import proposal, sentences

_DIRECTIONS = {
    "left_to_right": "links made on left are mirrored on right; nothing is written on left",
    "right_to_left": "links made on right are mirrored on left; nothing is written on right",
    "both": "links made on either side are mirrored on the other",
}
_SHOWN = 30
SiteOption = Annotated[str, typer.Option(metavar="NAME", help="What to call that site here.")]


def init(
    ctx: typer.Context,
    name: ConnectionName = "main",
    *,
    left: SiteOption = "left",
    right: SiteOption = "right",
) -> None:
    """Set up a connection step by step, from two addresses and two tokens.

    No link is written: it ends in shadow, with what each mode would do. Run it again after an
    interruption, and it goes on.
    """
    if not can_ask():
        raise UsageError(
            "there is no terminal to ask",
            details=["twinlink site put, connection put and twins import take options instead"],
        )
    api, ask = service(ctx), Prompts()
    api.get("me")  # first of all: is it there, and does it know us?
    try:
        sites = [init_sites.set_up(api, ask, site) for site in (left, right)]
        connection = _connected(api, ask, name, sites)
        init_twins.find(api, ask, connection)
    except (KeyboardInterrupt, typer.Abort):
        output.note("\nwhat you answered is stored: twinlink init goes on from here")
        raise
    _report(api, name, ask.answers)


def _connected(
    api: Service, ask: Prompts, name: str, sites: list[dict[str, Any]]
) -> dict[str, Any]:
    if current(api, name) is not None:
        output.note(f"the connection {name} is there already")
    else:
        ask.until_right(lambda: _made(api, ask, name, [site["name"] for site in sites]))
    found: dict[str, Any] = api.get(f"connections/{name}")
    return found


def _made(api: Service, ask: Prompts, name: str, sites: list[str]) -> None:
    ends = ask.until_right(lambda: _projects(api, ask, sites))
    types = [api.get(f"sites/{site}/link_types")["items"] for site in sites]
    pairs, alone = proposal(*types)
    if not pairs:
        raise CommandError(
            "no link type of one site is like one of the other",
            details=[f"twinlink connection put {name} --link-type LEFT=RIGHT maps them by hand"],
        )
    output.note(f"link types: {', '.join(sentences(pairs))}")
    if alone:
        output.note(f"  not mapped, for want of one alike: {', '.join(alone)}")
    direction = ask.until_right(lambda: ask.choice("Direction", _DIRECTIONS))
    body = {
        "left": {"site": sites[0], "projects": [ends[0]]},
        "right": {"site": sites[1], "projects": [ends[1]]},
        "direction": direction,
        "link_types": pairs,
    }
    for it in api.put(f"connections/{name}", body)["findings"]:
        output.note(f"  {it['severity']} on {it['side']}: {it['detail']}")


def _projects(api: Service, ask: Prompts, sites: list[str]) -> tuple[str, str]:
    shown = []
    for site in sites:
        keys = [it["key"] for it in api.get(f"sites/{site}/projects")["items"]]
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        output.note(f"projects of {site}: {', '.join(keys[:_SHOWN])}{more}")
        shown.append(keys)
    said = ask.text("Project on the left and on the right, such as OPS SUP").upper().split()
    if len(said) != 2:
        raise CommandError("name two projects, one of each side")
    for key, keys, site in zip(said, shown, sites, strict=True):
        if key not in keys:
            raise CommandError(f"{site} shows our account no project {key}")
    return said[0], said[1]


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
