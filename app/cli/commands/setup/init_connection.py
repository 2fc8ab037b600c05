"""The middle of `twinlink init`: projects, link types and direction, and the connection of them."""

from typing import Any

from app.cli.client.api_client import Service
from app.cli.client.connection_config import current
from app.cli.client.type_map import picked
from app.cli.output import output
from app.cli.output.closest import did_you_mean
from app.cli.output.errors import CommandError
from app.cli.output.prompts import Prompts
from app.core.connection.type_proposal import Pair, proposal, sentences

_DIRECTIONS = {
    "left_to_right": "links made on left are mirrored on right; nothing is written on left",
    "right_to_left": "links made on right are mirrored on left; nothing is written on right",
    "both": "links made on either side are mirrored on the other",
}
_SHOWN = 30
_ALL = "all of these"
_PROJECTS = "Project on the left and on the right, such as OPS SUP"
_TYPES = "Link types, such as Blocks, Causes=Root cause"


def set_up(api: Service, ask: Prompts, name: str, sites: list[str]) -> dict[str, Any]:
    """The connection, in shadow. One that is there already is not asked about."""
    if current(api, name) is not None:
        output.note(f"the connection {name} is there already")
    else:
        ask.until_right(lambda: _made(api, ask, name, sites))
    found: dict[str, Any] = api.get(f"connections/{name}")
    return found


def _made(api: Service, ask: Prompts, name: str, sites: list[str]) -> None:
    left, right = ask.until_right(lambda: _projects(api, ask, sites))
    pairs = _types(api, ask, sites)
    direction = ask.until_right(lambda: ask.choice("Direction", _DIRECTIONS))
    body = {
        "left": {"site": sites[0], "projects": [left]},
        "right": {"site": sites[1], "projects": [right]},
        "direction": direction,
        "link_types": pairs,
    }
    for it in api.put(f"connections/{name}", body)["findings"]:
        output.note(f"  {it['severity']} on {it['side']}: {it['detail']}")


def _projects(api: Service, ask: Prompts, sites: list[str]) -> tuple[str, str]:
    shown = []
    for site in sites:
        keys = [it["key"] for it in api.get(f"sites/{site}/projects")["items"]]
        output.note(f"projects of {site}: {_some(keys)}")
        shown.append(keys)
    said = ask.text(_PROJECTS).upper().split()
    if len(said) != 2:
        raise CommandError("name two projects, one of each side")
    for key, keys, site in zip(said, shown, sites, strict=True):
        if key not in keys:
            meant = did_you_mean(key, keys)
            raise CommandError(f"{site} shows our account no project {key}{meant and f'; {meant}'}")
    return said[0], said[1]


def _types(api: Service, ask: Prompts, sites: list[str]) -> list[Pair]:
    """The proposal where a person accepts it; else what is picked from it or mapped by hand."""
    left, right = (api.get(f"sites/{site}/link_types")["items"] for site in sites)
    proposed, alone = proposal(left, right)
    if proposed:
        output.note("link types that are alike:")
    words = {it["name"]: f"{it['outward']}, {it['inward']}" for it in left}
    for pair, said in zip(proposed[:_SHOWN], sentences(proposed), strict=False):
        output.note(f"  {said} ({words[pair['left']]})")
    if len(proposed) > _SHOWN:
        output.note(f"  and {len(proposed) - _SHOWN} more")
    if alone:
        taken = {pair["right"] for pair in proposed}
        free = [it["name"] for it in right if it["name"] not in taken]
        output.note(f"  none alike: {_some(alone)} on the left, {_some(free)} on the right")

    def answer() -> list[Pair]:
        said = ask.text(_TYPES, default=_ALL if proposed else None)
        return proposed if said == _ALL else picked(said, proposed, left, right)

    return ask.until_right(answer)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN]) or 'none'}{more}"
