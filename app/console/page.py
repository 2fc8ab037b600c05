"""What every page goes through: who is signed in, what the form carried, and how it is rendered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.console import session
from app.console.api import Api, Refused
from app.console.form import LARGEST_FORM, form_of, too_large
from app.console.render import html
from app.store.access.sessions import SignedIn
from app.wiring import Services

_DONE = {
    "approved": "Approved. The plan is applied change by change; its outcome appears here.",
    "revoked": "The approval is revoked. What is open waits for a decision again.",
    "rejected": "Rejected. What it would have changed stays, and nothing removes it again.",
    "paused": "Paused. Webhooks are still stored; nothing is written.",
    "resumed": "Resumed.",
    "mode": "The mode has changed.",
    "reset": "The guard is armed again.",
    "resync": "A comparison has begun.",
    "retried": "It is looked at again.",
    "dismissed": "It is dismissed until it fails for another cause.",
    "updated": "The update is in the timeline.",
    "published": "The status page shows it within half a minute.",
    "withdrawn": "The status page shows nothing of it any more, within half a minute.",
    "rolled_back": "Rolled back. Each later revision is still there to go back to.",
    "asked": "Asked for. The plan appears here once both sites were read.",
    "made": "Done.",
    "linked": "Linked. A mirror appears on the other side if the connection is live.",
    "unlinked": "Deleted. If it was an origin, its mirror goes too.",
    "field": "Twins come from that field now; workers read it, and pairs appear as they are found.",
    "registered": "The webhook is registered: changes arrive as they are made.",
    "stored": "Stored. Nothing is written to Jira in shadow.",
    "paired": "Paired. Their links are looked at now.",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a signed-in person. `me` is what the API says of the token."""

    request: Request
    services: Services
    api: Api
    who: SignedIn
    me: Mapping[str, Any]
    csrf: str
    form: Mapping[str, str] = field(default_factory=dict)

    def may(self, role: str) -> bool:
        """Whether the token's role includes *role*: which buttons are shown. The API decides."""
        order = ("viewer", "operator", "approver", "admin")
        return order.index(str(self.me["role"])) >= order.index(role)

    @property
    def sandbox_page(self) -> str | None:
        """Where a demo shows every webhook and call beside its sandbox sites."""
        path: str | None = getattr(self.request.app.state, "sandbox_page", None)
        return path

    @property
    def confined(self) -> bool:
        return self.me["connections"] is not None

    @property
    def sets_up(self) -> bool:
        """Whether the token may name sites and projects: which forms of the set-up are shown."""
        return self.may("admin") and not self.confined

    def said(self, name: str) -> str:
        """A field of the form, without the spaces around it."""
        return self.form.get(name, "").strip()

    def version(self, name: str) -> int | None:
        """That which the form was made of. None: a form of ours has one where there was one."""
        text = self.said(name)
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "").strip()

    def page(self, template: str, title: str, *, code: int = 200, **values: Any) -> Response:
        done = _DONE.get(self.request.query_params.get("done", ""))
        return html(template, code=code, title=title, visit=self, done=done, **values)

    def part(self, *names: str) -> dict[str, str]:
        """The query's values of these names, as a link repeats them."""
        return {name: value for name in names if (value := self.query(name))}


Handler = Callable[[Visit], Awaitable[Response]]


def to(path: str, **query: str) -> Response:
    """On to another page, by GET."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


def get(path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        who = await _signed_in(request)
        if who is None:
            return to("/sign-in", next=_here(request))
        return await _visited(request, handler, who, {})

    return Route(path, endpoint, methods=["GET"])


def post(path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        # Asked first: a stranger's form is not even read.
        cookie, who = session.cookie_of(request), await _signed_in(request)
        if cookie is None or who is None:
            return to("/sign-in")
        if too_large(request):
            detail = f"At most {LARGEST_FORM // 1024**2} MB are taken. Nothing was stored; go back."
            return problem_page(413, "This form is too large", detail)
        form = await form_of(request)
        if not session.csrf_holds(request, cookie, form.get("csrf", "")):
            return problem_page(403, "This form is out of date", "Go back, reload, and try again.")
        return await _visited(request, handler, who, form)

    return Route(path, endpoint, methods=["POST"])


async def _signed_in(request: Request) -> SignedIn | None:
    return await session.current(request, request.app.state.services)


async def _visited(
    request: Request, handler: Handler, who: SignedIn, form: Mapping[str, str]
) -> Response:
    services: Services = request.app.state.services
    client = request.scope.get("client")
    api = Api(request.app, who, tuple(client) if client else None)
    cookie = session.cookie_of(request) or ""
    try:
        me = await api.get("me")
        visit = Visit(request, services, api, who, me, session.csrf_of(cookie), form)
        return await handler(visit)
    except Refused as refused:
        if refused.status == 401:
            response = to("/sign-in", next=_here(request))
            await session.end(request, response, services)
            return response
        return refusal(refused)


def refusal(refused: Refused) -> Response:
    """A refusal of the API as a page: its title, its detail, and the error of each field."""
    said = refused.problem
    errors = said.get("errors") or []
    return problem_page(
        refused.status,
        str(said.get("title") or "That did not work"),
        str(said.get("detail") or ""),
        [f"{it.get('pointer', '')}: {it.get('detail', '')}" for it in errors],
    )


def problem_page(status: int, title: str, detail: str, errors: list[str] | None = None) -> Response:
    return html(
        "problem.html", title=title, visit=None, code=status, detail=detail, errors=errors or []
    )


def _here(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path, safe="/") + query
