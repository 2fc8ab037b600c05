"""Signing in by token or by a link that works once, and signing out."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.console import session
from app.console.api import Api, Refused
from app.console.form import form_of
from app.console.page import Visit, post, to
from app.console.render import html
from app.store.access import sessions, tokens
from app.store.access.sessions import SignedIn
from app.wiring import Services

LARGEST_SIGN_IN = 16 * 1024
"""Anybody may send one: a token, and the address of a page."""


async def _form(request: Request) -> Response:
    return _shown(request)


def _shown(
    request: Request, *, problem: str = "", status: int = 200, following: str = ""
) -> Response:
    """*following* is where a failed try wanted to go; the next one still leads there."""
    wanted = _local(following or request.query_params.get("next", "/"))
    return html(
        "sign_in.html",
        title="Sign in",
        visit=None,
        next=wanted,
        problem=problem,
        code=status,
    )


async def _sign_in(request: Request) -> Response:
    services: Services = request.app.state.services
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return _shown(request, problem="Sign in from this page.", status=403)
    form = await form_of(request, LARGEST_SIGN_IN)
    text = form.get("token", "").strip()
    client = request.scope.get("client")
    api = Api(request.app, None, tuple(client) if client else None)
    following = form.get("next", "")
    if not text.isascii() or not text.isprintable() or not text:
        return _shown(request, problem="That is no token.", status=401, following=following)
    try:
        me = await api.bearer("me", text)
    except Refused as refused:
        return _shown(request, problem=_why(refused), status=refused.status, following=following)
    return await _begin(request, services, tokens.digest(text), me, _local(following))


async def _begin(
    request: Request, services: Services, digest: bytes, me: dict[str, object], following: str
) -> Response:
    token = str(me["id"])
    who = SignedIn(int(token) if token.isdecimal() else None, digest, str(me["owner"]))
    response = to(following)
    await session.begin(request, response, services, who)
    return response


async def _by_link(request: Request) -> Response:
    """GET shows a button, so that no preview of the link uses it up; POST signs in."""
    code = request.path_params["code"]
    if request.method == "GET":
        return html("sign_in_link.html", title="Sign in", visit=None)
    services: Services = request.app.state.services
    async with services.database.transaction() as conn:
        digest = await sessions.take_link(conn, session.digest(code), services.clock())
    admin = services.settings.admin_token
    if digest is None or admin is None or tokens.digest(admin.get_secret_value()) != digest:
        return _shown(request, problem="This link was used or is too old.", status=401)
    me: dict[str, object] = {"id": "bootstrap", "owner": "bootstrap"}
    return await _begin(request, services, digest, me, "/")


async def _sign_out(visit: Visit) -> Response:
    response = to("/sign-in")
    who = visit.who if visit.form.get("everywhere") else None
    await session.end(visit.request, response, visit.services, who=who)
    return response


def _why(refused: Refused) -> str:
    if refused.code == "too_many_attempts":
        return "Too many wrong tokens from this address. Wait a few seconds."
    if refused.status == 401:
        return "No such token, or it has ended. `twinlink token create` makes one."
    return str(refused.problem.get("title") or "Signing in is not possible at the moment.")


def _local(path: str) -> str:
    """Only ever to a page of ours."""
    sound = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if sound and path.isprintable() else "/"


ROUTES = [
    Route("/sign-in", _form, methods=["GET"]),
    Route("/sign-in", _sign_in, methods=["POST"]),
    Route("/sign-in/{code}", _by_link, methods=["GET", "POST"]),
    post("/sign-out", _sign_out),
]
