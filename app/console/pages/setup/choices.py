"""What a form offers of two sites (projects, link types), and what it chose of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from app.console.api import Json, Refused
from app.console.page import Visit
from app.core.connection.type_proposal import proposal

SIDES = ("left", "right")
MOST = 200
"""Projects that a page lists; with more, keys are typed as well."""
_BY_KEY = "keys."
_PROJECT = "project."
_TYPE = "type."
_REVERSED = "reversed."


@dataclass(frozen=True, slots=True)
class Offered:
    """Of one site. `trouble` says why its projects cannot be listed now."""

    site: str
    projects: Sequence[str]
    types: Sequence[Json]
    trouble: str | None = None

    @property
    def long(self) -> bool:
        return self.trouble is not None or len(self.projects) > MOST


async def offered(visit: Visit, sites: Sequence[str]) -> list[Offered]:
    return list(await asyncio.gather(*(_of_site(visit, site) for site in sites)))


async def _of_site(visit: Visit, site: str) -> Offered:
    at = f"sites/{quote(site, safe='')}"
    types = (await visit.api.get(f"{at}/link_types"))["items"]
    try:
        found = (await visit.api.get(f"{at}/projects"))["items"]
    except Refused as refused:
        if refused.status != 503:
            raise
        words = f"{refused.problem.get('title')}. Type the keys, or check the site and come back."
        return Offered(site, (), types, words)
    return Offered(site, sorted(it["key"] for it in found), types)


def proposed(left: Sequence[Json], right: Sequence[Json]) -> dict[str, str]:
    """The form's fields of the map that `init` would make."""
    pairs, _ = proposal(left, right)
    ids = [{it["name"]: it["id"] for it in types} for types in (left, right)]
    return _fields((ids[0][it["left"]], ids[1][it["right"]], it["reversed"]) for it in pairs)


def stored(config: Json, left: Sequence[Json], right: Sequence[Json]) -> dict[str, str]:
    """The form's fields of a stored connection."""
    ids = [{it["name"]: it["id"] for it in types} for types in (left, right)]
    fields = _fields(
        (ids[0].get(it["left"], ""), ids[1].get(it["right"], ""), it["reversed"])
        for it in config["link_types"]
    )
    for side in SIDES:
        fields[f"{_BY_KEY}{side}"] = ", ".join(config[side]["projects"])
    return fields | {"direction": str(config["direction"])}


def lost_types(config: Json, left: Sequence[Json], right: Sequence[Json]) -> list[str]:
    """Mapped types that a site does not list any more: a form cannot name them, so storing it ends
    their mapping."""
    names = [{it["name"] for it in types} for types in (left, right)]
    return [
        f"{it['left']} = {it['right']}"
        for it in config["link_types"]
        if it["left"] not in names[0] or it["right"] not in names[1]
    ]


def placed(fields: Mapping[str, str], ends: Sequence[Offered]) -> dict[str, str]:
    """*fields* with each chosen project where the form shows it: ticked in the list, or among the
    typed keys. One that Jira does not list just now stays chosen until a person removes it."""
    found = dict(fields)
    for side, end in zip(SIDES, ends, strict=True):
        listed, chosen = end.projects[:MOST], _projects(fields, side)
        found |= {f"{_PROJECT}{side}.{key}": "on" for key in chosen if key in listed}
        found[f"{_BY_KEY}{side}"] = ", ".join(key for key in chosen if key not in listed)
    return found


def _fields(pairs: Iterable[tuple[str, str, bool]]) -> dict[str, str]:
    """Of pairs of type ids, and whether their direction is turned."""
    found: dict[str, str] = {}
    for left, right, turned in pairs:
        found[f"{_TYPE}{left}"] = right
        if turned:
            found[f"{_REVERSED}{left}"] = "on"
    return found


def ends(form: Mapping[str, str], sites: Sequence[str]) -> Json:
    """The two ends as a PUT names them."""
    return {
        side: {"site": site, "projects": _projects(form, side)}
        for side, site in zip(SIDES, sites, strict=True)
    }


def _projects(form: Mapping[str, str], side: str) -> list[str]:
    start = f"{_PROJECT}{side}."
    ticked = [name.removeprefix(start) for name in form if name.startswith(start)]
    typed = form.get(f"{_BY_KEY}{side}", "").replace(",", " ").upper().split()
    return list(dict.fromkeys([*ticked, *typed]))


def link_types(form: Mapping[str, str]) -> list[Json]:
    """The map as a PUT names it, in the order of the form."""
    return [
        {
            "left": name.removeprefix(_TYPE),
            "right": right,
            "reversed": form.get(f"{_REVERSED}{name.removeprefix(_TYPE)}") == "on",
        }
        for name, right in form.items()
        if name.startswith(_TYPE) and right
    ]


def field_of(pointer: str, types: Sequence[Json]) -> str | None:
    """The form's field of a pointer into the PUT."""
    match pointer.strip("/").split("/"):
        case ["left" | "right" as side, "projects", *_]:
            return f"projects.{side}"
        case ["left" | "right" as side, *_]:
            return side
        case ["link_types", at, *_] if at.isdecimal() and int(at) < len(types):
            return f"{_TYPE}{types[int(at)]['left']}"
        case ["link_types", *_]:
            return "types"
        case ["direction", *_]:
            return "direction"
        case ["path", "name"]:
            return "name"
        case _:
            return None
