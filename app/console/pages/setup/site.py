"""A site: its address, how Twinlink signs in, what the check finds, and its webhook."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from app.console.api import Json, Refused
from app.console.faults import NONE, Faults, by_pointer, faults_of, one
from app.console.page import Visit, get, post, to
from app.core.connection.as_sent import site_as_sent
from app.jira.http.pasted_address import base_url

_FIELDS = by_pointer(
    {
        "/path/site": "name",
        "/address": "address",
        "/base_url": "address",
        "/web_url": "web_url",
        "/deployment": "deployment",
        "/auth": "token",
        "/auth/kind": "kind",
        "/auth/email": "email",
        "/auth/token": "token",
        "/auth/client_id": "client_id",
        "/auth/client_secret": "client_secret",
        "/auth/token_url": "token_url",
        "/auth/scope": "scope",
        "/token_expires_at": "expires",
        "/account_dedicated": "dedicated",
    }
)
_KINDS: Mapping[str, tuple[str, ...]] = {
    "basic": ("email", "token"),
    "bearer": ("token",),
    "oauth": ("client_id", "client_secret", "token_url", "scope"),
}
"""What each kind of token consists of."""
_SECRET = frozenset({"token", "client_secret"})
_KEPT = (
    "name",
    "address",
    "web_url",
    "deployment",
    "kind",
    "email",
    "client_id",
    "token_url",
    "scope",
    "expires",
)
"""What a form shows again of what was typed: nothing that is secret."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A site's page. `known` is the site as it is stored; `found` what a check found; `secret` a
    webhook secret that was made just now and is shown this once; `moved`: its address is another
    now, so its webhook has another secret."""

    known: Json | None
    typed: Mapping[str, str]
    faults: Faults = NONE
    found: Json | None = None
    secret: str | None = None
    hook_faults: Faults = NONE
    moved: bool = False
    code: int = 200


async def _new(visit: Visit) -> Response:
    return await _page(visit, Shown(None, _blank(visit.query("name"))))


async def _site(visit: Visit) -> Response:
    known = await visit.api.get(f"sites/{visit.request.path_params['name']}")
    return await _page(visit, Shown(known, _typed_before(known)))


async def _store(visit: Visit) -> Response:
    """Of the form of a new site: one that is there already is not replaced unseen."""
    name = visit.said("name")
    if not name or quote(name, safe="") != name:
        faults = one("name", "may have small letters, digits, - and _")
        return await _page(visit, Shown(None, _typed(visit), faults, code=422))
    if await _known(visit, name) is not None:
        faults = one("name", f"is taken: go on with the site {name}, or choose another name")
        return await _page(visit, Shown(None, _typed(visit), faults, code=409))
    return await _stored(visit, name, None)


async def _change(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    return await _stored(visit, name, await visit.api.get(f"sites/{name}"))


async def _stored(visit: Visit, name: str, known: Json | None) -> Response:
    typed = _typed(visit)
    try:
        chosen = await _chosen(visit, known)
        if isinstance(chosen, Faults):
            return await _page(visit, Shown(known, typed, chosen, code=422))
        stored = await visit.api.put(
            f"sites/{name}",
            site_as_sent(known, chosen),
            version=visit.version("version"),
        )
    except Refused as refused:
        faults = faults_of(refused, _FIELDS)
        return await _page(visit, Shown(known, typed, faults, code=refused.status))
    shown = Shown(stored, _typed_before(stored), moved=known is not None and _moved(known, stored))
    try:
        found = await visit.api.post(f"sites/{name}/check")
    except Refused as refused:  # it is stored all the same
        faults = faults_of(refused, _FIELDS)
        return await _page(visit, replace(shown, faults=faults, code=refused.status))
    return await _page(visit, replace(shown, found=found))


async def _chosen(visit: Visit, known: Json | None) -> Json | Faults:
    """What the form changes. Raises `Refused` for an address that cannot be used."""
    if visit.said("kind") not in _KINDS:
        return one("kind", "choose one of the three")
    chosen: Json = {
        "account_dedicated": visit.form.get("dedicated") == "on",
        "web_url": visit.said("web_url") or None,
    }
    address = _address(visit, known)
    deployment: str | None = visit.said("deployment")
    if known is None or address != known["base_url"] or deployment != known["deployment"]:
        if deployment == "detect":
            stated = await visit.api.post("site_addresses", {"address": address})
            address, deployment = stated["base_url"], stated["deployment"]
        if deployment is None:
            return one("deployment", f"{address} does not say which Jira it is: choose one")
        chosen |= {"base_url": address, "deployment": deployment}
    if _moved(known, chosen):
        # What is stored never goes to another address, the webhook's secret neither.
        chosen["webhook_secret"] = secrets.token_hex(24)
    auth = _auth(visit, known)
    if auth is not None:
        chosen["auth"] = auth
    expires = _expiry(visit.said("expires"))
    if expires is not None or auth is None:
        chosen["token_expires_at"] = expires
    return chosen


def _address(visit: Visit, known: Json | None) -> str:
    """As the API stores it. The stored address with a slash or an open page behind it is the stored
    one: nothing has moved."""
    typed = visit.said("address").rstrip("/")
    is_same = known is not None and known["base_url"] in (typed, base_url(typed))
    return str(known["base_url"]) if known is not None and is_same else typed


def _moved(known: Json | None, chosen: Json) -> bool:
    return known is None or chosen.get("base_url", known["base_url"]) != known["base_url"]


def _auth(visit: Visit, known: Json | None) -> Json | None:
    """None: nothing was typed, so what is stored is kept."""
    kind = visit.said("kind")
    given = {it: visit.said(it) for it in _KINDS.get(kind, ()) if visit.said(it)}
    if not given and known is not None and known["auth"]["kind"] == kind:
        return None
    return {"kind": kind, **given}


def _expiry(text: str) -> str | None:
    """The end of a day, in UTC. What is no date is sent as it is: the API says so."""
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text).date()
    except ValueError:
        return text
    return datetime.combine(day, time(23, 59), UTC).isoformat()


async def _check(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    found = await visit.api.post(f"sites/{name}/check")
    known = await visit.api.get(f"sites/{name}")
    return await _page(visit, Shown(known, _typed_before(known), found=found))


async def _register(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    try:
        await visit.api.post(f"sites/{name}/webhook", {"url": visit.said("url") or None})
    except Refused as refused:
        faults = faults_of(refused, by_pointer({"/url": "url"}))
        known = await visit.api.get(f"sites/{name}")
        shown = Shown(known, _typed_before(known), hook_faults=faults, code=refused.status)
        return await _page(visit, shown)
    return to(f"/setup/sites/{name}", done="registered")


async def _by_hand(visit: Visit) -> Response:
    """A new secret, shown this once: it is entered into Jira by an administrator there."""
    name = visit.request.path_params["name"]
    known = await visit.api.get(f"sites/{name}")
    secret = secrets.token_hex(24)
    body = site_as_sent(known, {"webhook_secret": secret})
    stored = await visit.api.put(f"sites/{name}", body, version=known["version"])
    return await _page(visit, Shown(stored, _typed_before(stored), secret=secret))


async def _known(visit: Visit, name: str) -> Json | None:
    try:
        return await visit.api.get(f"sites/{name}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


async def _page(visit: Visit, shown: Shown) -> Response:
    name = None if shown.known is None else shown.known["name"]
    hook = None
    if name is not None and visit.sets_up:
        hook = await _webhook(visit, name)
    values: dict[str, Any] = {
        "known": shown.known,
        "typed": shown.typed,
        "faults": shown.faults,
        "found": shown.found,
        "secret": shown.secret,
        "hook": hook,
        "hook_faults": shown.hook_faults,
        "moved": shown.moved,
    }
    title = "New site" if name is None else f"Site {name}"
    return visit.page("setup/site.html", title, code=shown.code, **values)


async def _webhook(visit: Visit, name: str) -> Json:
    """At the address of `TWINLINK_PUBLIC_URL`, else at the one that the browser has. By HTTPS but
    on this machine: the word of a proxy before us may not be taken for the scheme."""
    base_url = visit.request.base_url
    if not (base_url.hostname in {"localhost", "::1"} or str(base_url.hostname).startswith("127.")):
        base_url = base_url.replace(scheme="https")
    here = str(base_url).rstrip("/")
    try:
        hook = await visit.api.get(f"sites/{name}/webhook")
        if hook["url"] is None:
            hook = await visit.api.get(f"sites/{name}/webhook", url=here)
    except Refused as refused:
        return {"url": None, "base": visit.said("url") or here, "problem": refused.problem}
    base = str(hook["url"]).removesuffix(f"/webhooks/jira/{name}")
    return hook | {"base": visit.said("url") or base, "problem": None}


def _blank(name: str) -> dict[str, str]:
    return dict.fromkeys(_KEPT, "") | {
        "name": name,
        "deployment": "detect",
        "kind": "basic",
        "dedicated": "",
    }


def _typed(visit: Visit) -> dict[str, str]:
    return {name: visit.said(name) for name in _KEPT} | {
        "dedicated": visit.form.get("dedicated", "")
    }


def _typed_before(known: Json) -> dict[str, str]:
    """The form of a stored site. Who signs in is not shown, as it is not answered."""
    expires = known["token_expires_at"]
    return _blank(str(known["name"])) | {
        "address": str(known["base_url"]),
        "web_url": str(known["web_url"] or ""),
        "deployment": str(known["deployment"]),
        "kind": str(known["auth"]["kind"]),
        "expires": "" if expires is None else str(expires)[:10],
        "dedicated": "on" if known["account_dedicated"] else "",
    }


ROUTES = [
    get("/setup/sites", _new),
    get("/setup/sites/{name}", _site),
    post("/setup/sites", _store),
    post("/setup/sites/{name}", _change),
    post("/setup/sites/{name}/check", _check),
    post("/setup/sites/{name}/webhook", _register),
    post("/setup/sites/{name}/secret", _by_hand),
]
