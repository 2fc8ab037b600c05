"""Creating and deleting links: the only requests that change issues in a Jira."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import PermanentError, TransientError
from app.core.links import Ends, IssueId, LinkId, TypeId
from app.jira.http.errors import facts, unexpected
from app.jira.http.request import Call
from app.jira.http.response import Answer

_LOCATION = re.compile(r".*/issueLink/([0-9]{1,19})/?")


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """What Jira answered, which proves nothing by itself: 201 and 400 both need a read-back
    (docs/jira.md). `location_id` is a hint of Data Center, perhaps of a link that was
    there before. `at` is Jira's `Date`."""

    status: int
    at: datetime | None = None
    location_id: LinkId | None = None


def creation(
    api: str, type_id: TypeId, ends: Ends, *, bulk: bool, send_before: datetime | None
) -> Call:
    """`inwardIssue` is the source, `outwardIssue` the destination: "source blocks
    destination", against the reference's wording (docs/jira.md)."""
    body = {
        "type": {"id": type_id},
        "inwardIssue": {"id": ends.source},
        "outwardIssue": {"id": ends.destination},
    }
    return Call(
        "issue_link",
        "POST",
        f"{api}/issueLink",
        body,
        write=True,
        issues=(ends.source, ends.destination),
        bulk=bulk,
        send_before=send_before,
    )


def deletion(
    api: str,
    link_id: LinkId,
    issues: tuple[IssueId, ...],
    *,
    bulk: bool,
    send_before: datetime | None,
) -> Call:
    """The call that deletes a link. *issues* are those whose budget it counts against."""
    return Call(
        "issue_link",
        "DELETE",
        f"{api}/issueLink/{decimal(link_id)}",
        write=True,
        issues=issues,
        bulk=bulk,
        send_before=send_before,
    )


async def send(
    call_jira: Callable[[Call], Awaitable[Answer]],
    call: Call,
    is_known: Callable[[], Awaitable[bool]],
) -> Answer:
    """Data Center answers 401 also where only the permission to link is missing. Who is known to
    Jira right after such an answer has credentials that are good."""
    try:
        return await call_jira(call)
    except PermanentError as error:
        if error.code != "unauthorized":
            raise
        try:
            known = await is_known()
        except (TransientError, PermanentError):
            known = False
        if known:
            raise PermanentError("link_not_permitted", facts=error.facts) from None
        raise


def created(answer: Answer, call: Call) -> WriteAnswer:
    """201 and 400 are answers; 404 and 413 are permanent refusals."""
    if answer.status == 404:
        raise PermanentError("not_found_or_not_permitted", facts=facts(call, answer))
    if answer.status == 413:
        raise PermanentError("link_limit", facts=facts(call, answer))
    if answer.status >= 300 and answer.status != 400:
        raise unexpected(answer, call)
    location = _LOCATION.fullmatch(answer.headers.get("location", ""))
    return WriteAnswer(answer.status, answer.at, LinkId(location[1]) if location else None)


def deleted(answer: Answer, call: Call) -> WriteAnswer:
    """404 may mean gone or not permitted, so the caller reads again."""
    if answer.status >= 300 and answer.status not in {400, 404}:
        raise unexpected(answer, call)
    return WriteAnswer(answer.status, answer.at)


def decimal(number: LinkId | IssueId) -> str:
    """Only digits may enter a path: an id from a hostile delivery must not name another path."""
    if not (number.isascii() and number.isdigit()):
        raise PermanentError("bad_id")
    return number
