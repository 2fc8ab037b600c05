"""A connection: two sites, their projects and link types picked from lists, and a direction."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from app.console.api import Json, Refused
from app.console.faults import NONE, Faults, faults_of, one
from app.console.page import Visit, get, post, to
from app.console.pages.setup import choices, raising
from app.core.connection.as_sent import connection_as_sent

DIRECTIONS = (
    ("left_to_right", "Left to right: links made on the left are mirrored on the right"),
    ("right_to_left", "Right to left: links made on the right are mirrored on the left"),
    ("both", "Both: links made on either side are mirrored on the other"),
)

_NONE_YET = 0
"""No revision: the form is of a new connection."""


@dataclass(frozen=True, slots=True)
class Active:
    """The active configuration: the newest revision may be one that is only tried in shadow."""

    revision: int
    config: Json


async def _new(visit: Visit) -> Response:
    """First which sites, by GET; then what of them."""
    name, sites = visit.query("name"), [visit.query(side) for side in choices.SIDES]
    if not visit.sets_up or not all(sites):
        return await _which(visit, NONE)
    if sites[0] == sites[1]:
        return await _which(visit, one("right", "must be another site than the left one"))
    if not name or quote(name, safe="") != name:
        return await _which(visit, one("name", "may have small letters, digits, - and _"))
    if await _known(visit, name) is not None:
        return await _which(visit, one("name", f"is taken: go on with the connection {name}"))
    return await _form(visit, name, sites, None, {})


async def _which(visit: Visit, faults: Faults) -> Response:
    sites = (await visit.api.get("sites", limit=1000))["items"] if visit.sets_up else []
    return visit.page(
        "setup/which.html",
        "New connection",
        code=422 if faults else 200,
        sites=[(it["name"], f"{it['name']} · {it['web_url'] or it['base_url']}") for it in sites],
        faults=faults,
        asked={name: visit.query(name) for name in ("name", *choices.SIDES)},
    )


async def _change(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    known = await active(visit, name)
    if not visit.sets_up:
        return to(f"/setup/connections/{name}")
    sites = [known.config[side]["site"] for side in choices.SIDES]
    return await _form(visit, name, sites, known, {})


async def _form(
    visit: Visit,
    name: str,
    sites: list[str],
    known: Active | None,
    typed: Mapping[str, str],
    faults: Faults = NONE,
    code: int = 200,
) -> Response:
    """*typed* goes before what is stored, and that before the proposal."""
    left, right = await choices.offered(visit, sites)
    start, lost = choices.proposed(left.types, right.types), list[str]()
    if known is not None:
        start = choices.stored(known.config, left.types, right.types)
        lost = choices.lost_types(known.config, left.types, right.types)
    return visit.page(
        "setup/scope.html",
        f"What {name} keeps in step",
        code=code,
        name=name,
        known=known is not None,
        revision=None if known is None else known.revision,
        ends=(("left", left), ("right", right)),
        directions=DIRECTIONS,
        typed=choices.placed(typed or start, (left, right)),
        lost=lost,
        faults=faults,
        most=choices.MOST,
    )


async def _store(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    known = None if await _known(visit, name) is None else await active(visit, name)
    sites = [visit.said(side) for side in choices.SIDES]
    types = choices.link_types(visit.form)
    named = {
        **choices.ends(visit.form, sites),
        "link_types": types,
        "direction": visit.said("direction"),
    }
    body = named if known is None else connection_as_sent(known.config) | named
    seen = visit.version("revision")
    if seen is None and known is not None:
        seen = _NONE_YET
    try:
        stored = await visit.api.put(f"connections/{name}", body, version=seen)
    except Refused as refused:
        faults = overtaken(name, refused) or faults_of(
            refused, lambda pointer: choices.field_of(pointer, types)
        )
        return await _form(visit, name, sites, known, visit.form, faults, refused.status)
    return await raising.shown(visit, stored, stored["findings"])


async def active(visit: Visit, name: str) -> Active:
    connection = await visit.api.get(f"connections/{name}")
    number = int(connection["revision"])
    revision = await visit.api.get(f"connections/{name}/revisions/{number}")
    return Active(number, revision["config"])


def overtaken(name: str, refused: Refused) -> Faults:
    """None where the form was made of what is stored still."""
    if refused.code != "stale":
        return NONE
    words = (
        f"{name} was changed since this form was opened, and nothing of the form was stored. Open"
        " it again to see the change; stored now, the form takes its place."
    )
    return Faults(rest=[words])


async def _known(visit: Visit, name: str) -> Json | None:
    try:
        return await visit.api.get(f"connections/{name}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


ROUTES = [
    get("/setup/new", _new),
    get("/setup/connections/{name}/scope", _change),
    post("/setup/connections/{name}", _store),
]
