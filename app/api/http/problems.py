"""Every refusal of the API: one registry of codes, one shape (`application/problem+json`).

`detail` and `errors` are our own words. What was sent, what Jira answered, and what an
exception says never enter them: any of these may hold a secret or an issue's content.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.core.config import Problem as FieldProblem
from app.telemetry import current_request_id

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` is the same for every occurrence of a code."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    # The request itself
    "malformed_json": Kind(400, "The body is not JSON"),
    "cursor_mismatch": Kind(400, "The cursor does not belong to this list and its filters"),
    "idempotency_key": Kind(400, "The Idempotency-Key cannot be used"),
    "bad_request": Kind(400, "The request cannot be read"),
    "unauthenticated": Kind(401, "A valid token is needed"),
    "forbidden": Kind(403, "The token may not do this"),
    "not_found": Kind(404, "There is nothing at this address"),
    "method_not_allowed": Kind(405, "This address does not take this method"),
    "not_acceptable": Kind(406, "The answer cannot be had in that media type"),
    "body_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body must be JSON"),
    "validation": Kind(422, "Some fields cannot be used"),
    "idempotency_mismatch": Kind(422, "The Idempotency-Key was used with another request"),
    "idempotency_running": Kind(409, "The call with this Idempotency-Key is still running"),
    "secret_not_replayed": Kind(409, "A secret is shown once and cannot be shown again"),
    "guard_resets_spent": Kind(429, "The guard was reset as often as a day allows"),
    "too_many_attempts": Kind(429, "Too many calls with tokens that are not valid"),
    "too_many_streams": Kind(429, "Too many streams of events are open"),
    "headers_too_large": Kind(431, "The address and the headers are too large"),
    "request_too_slow": Kind(408, "The request did not arrive in time"),
    "stale": Kind(412, "It changed since the version that If-Match names"),
    # A delivery (`app.api.routes.webhooks`)
    "malformed_delivery": Kind(400, "This is no delivery that Jira sends"),
    "delivery_unstorable": Kind(400, "This delivery cannot be stored"),
    "signature_invalid": Kind(401, "The signature is not of a secret of this site"),
    "body_too_slow": Kind(408, "The body did not arrive in time"),
    # What is not there
    "site_unknown": Kind(404, "There is no such site"),
    "connection_unknown": Kind(404, "There is no such connection"),
    "twin_unknown": Kind(404, "There is no such twin"),
    "resync_unknown": Kind(404, "There is no such resync"),
    "restore_unknown": Kind(404, "There is no such restore or rescue"),
    "engine_unknown": Kind(404, "There is no such version"),
    "plan_unknown": Kind(404, "There is no such plan"),
    "adoption_unknown": Kind(404, "There is no such adoption"),
    "verification_unknown": Kind(404, "There is no such verification"),
    "failure_unknown": Kind(404, "There is no such failure"),
    "incident_unknown": Kind(404, "There is no such incident"),
    "revision_unknown": Kind(404, "The connection has no such revision"),
    "token_unknown": Kind(404, "There is no such token"),
    # What does not fit
    "site_identity": Kind(409, "Another Jira answers there than the one that was pinned"),
    "site_in_use": Kind(409, "Connections join this site"),
    "secret_key_wrong": Kind(409, "No key of this service opens the site's stored secrets"),
    "secret_misplaced": Kind(409, "A stored secret was sealed for another place"),
    "secret_unbound": Kind(409, "A stored secret is bound to no place"),
    "other_installation": Kind(409, "The database belongs to another installation"),
    "site_unchecked": Kind(409, "A site of the connection was never checked"),
    "account_not_dedicated": Kind(409, "An account of the connection is not dedicated"),
    "projects_connected": Kind(409, "Another connection joins the same projects"),
    "link_types_gone": Kind(409, "A site has lost link types that the revision maps"),
    "sites_fixed": Kind(409, "A connection keeps its sites"),
    "concurrent_change": Kind(409, "It was changed by another call at the same time"),
    "write_in_progress": Kind(409, "A link is being written; try again in a minute"),
    "resync_over": Kind(409, "The resync is over"),
    "incident_resolved": Kind(409, "The incident is resolved"),
    "database_went_back": Kind(409, "The database went back in time; resolve that incident first"),
    "site_went_back": Kind(409, "A Jira went back in time; resolve that incident first"),
    "nothing_selected": Kind(409, "No link is chosen by what was asked for"),
    "own_account": Kind(409, "Twinlink's own account did that: restore it from the audit"),
    "account_unconfirmed": Kind(409, "The account writes links as a person does"),
    "plan_not_sealed": Kind(409, "The plan cannot be decided: it gathers, or is only shown"),
    "engine_digest": Kind(409, "The differences are not those that were reviewed"),
    "plan_digest": Kind(409, "The plan is not the one that was reviewed"),
    "plan_decided": Kind(409, "The plan is decided"),
    "plan_not_approved": Kind(409, "The plan has no approval that could be revoked"),
    "second_owner": Kind(409, "Another owner has to approve it too"),
    "plan_expired": Kind(410, "The plan was not decided in time"),
    # What failed
    "internal": Kind(500, "Something went wrong here"),
    "site_unavailable": Kind(503, "The site does not answer"),
    "site_refuses": Kind(503, "The site answers and refuses: see its check"),
    "database_unavailable": Kind(503, "The database does not answer"),
    "timeout": Kind(503, "It took too long"),
    "unavailable": Kind(503, "Not possible at the moment"),
}

_BY_STATUS: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation",
    503: "unavailable",
}
_RETRY_AFTER = 5
"""Seconds, where the failed part did not say."""


class Problem(HTTPException):
    """Raise it anywhere below a route. An `HTTPException`, so that FastAPI lets it pass even
    where it reads the body."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(KINDS[code].status, detail, headers)
        self.code = code
        self.errors = tuple(errors)


def unavailable(code: str, retry_after: float | None, detail: str = "") -> Problem:
    """A 503 says when to come back."""
    seconds = max(1, round(_RETRY_AFTER if retry_after is None else retry_after))
    return Problem(code, detail, headers={"Retry-After": str(seconds)})


def from_status(error: HTTPException) -> Problem:
    """The framework's own refusals (404, 405, 413) in our shape."""
    code = _BY_STATUS.get(error.status_code, "internal")
    return Problem(code, headers=error.headers)


def body(problem: Problem) -> dict[str, Any]:
    kind = KINDS[problem.code]
    return {
        "type": f"urn:twinlink:problem:{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.title,
        "code": problem.code,
        "errors": [{"pointer": e.pointer, "detail": e.detail} for e in problem.errors],
        "request_id": current_request_id(),
    }


def response(problem: Problem) -> JSONResponse:
    return JSONResponse(
        body(problem), problem.status_code, headers=problem.headers, media_type=MEDIA_TYPE
    )


def phrase(status: int) -> str:
    return HTTPStatus(status).phrase
