"""Revisions: every configuration of a connection, one in shadow, and the way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Path, Response

from app.api.auth.roles import V1, Role
from app.api.http import etags
from app.api.http.pages import LARGEST, Page
from app.api.http.problems import Problem
from app.api.routing.dependencies import (
    Paged,
    PagedWhole,
    Svc,
    TheConnection,
    Who,
    first_page,
    number,
)
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.revision import (
    RevisionAnswer,
    RevisionPost,
    RevisionWhole,
    RollbackAnswer,
    RollbackPost,
    TrialChange,
)
from app.core.config import Problem as FieldProblem
from app.store.config import active_connection, connections, revisions
from app.store.config.connections import ConnectionRow
from app.store.writes import shadow_revisions
from app.sync.runtime.refusals import Refused
from app.wiring import Services

router = api_router("revisions")
_HIGHEST = 2**31 - 1
_REVISION = Annotated[str, Path(description="A revision's number")]


@router.get(
    "/connections/{name}/revisions",
    response_model=Listed[RevisionAnswer],
    responses=problems("connection_unknown"),
)
async def list_revisions(connection: TheConnection, services: Svc, page: Paged) -> object:
    """Newest first."""
    before = min(page.after(LARGEST), _HIGHEST)
    async with services.database.connection() as conn:
        rows = await revisions.page(conn, connection.id, before=before, limit=page.fetch)
    return page.answer(
        rows, lambda it: RevisionAnswer.of(it, connection.revision), lambda it: it.revision
    )


@router.post(
    "/connections/{name}/revisions",
    status_code=201,
    responses={
        **problems(
            "connection_unknown",
            "projects_connected",
            "sites_fixed",
            "concurrent_change",
            "validation",
            "site_unavailable",
            "site_refuses",
        ),
        200: {"model": RevisionWhole, "description": "It is what is active already"},
    },
)
async def post_revision(
    connection: TheConnection,
    body: RevisionPost,
    services: Svc,
    caller: Who,
    response: Response,
) -> RevisionWhole:
    """`full`: active at once, as by PUT. `shadow`: stored, and its plan over all twins is
    compared with the active one's; posting it again in `full` makes it active."""
    spec, now = body.config.spec(), services.clock()
    with _below("/config"):
        if body.rollout == "full":
            done = await services.revisions.append(
                connection.name, spec, note=body.note, author=caller.owner, now=now
            )
            revision = done.connection.revision
            response.status_code = 201 if done.changed else 200
            etags.set_etag(response, revision)
        else:
            revision = await services.revisions.try_out(
                connection.name, spec, note=body.note, author=caller.owner, now=now
            )
    address = f"{V1}/connections/{connection.name}/revisions/{revision}"
    response.headers["Location"] = address
    return await _whole(services, connection, revision, first_page(services, caller, address))


@router.get(
    "/connections/{name}/revisions/{number}",
    responses=problems("connection_unknown", "revision_unknown"),
)
async def get_revision(
    connection: TheConnection, number: _REVISION, services: Svc, page: PagedWhole
) -> RevisionWhole:
    """With what it would change, if it was rolled out in shadow; changes beyond `limit` follow
    with `cursor`."""
    return await _whole(services, connection, _number(number), page)


@router.post(
    "/connections/{name}/rollback",
    responses=problems(
        "connection_unknown",
        "revision_unknown",
        "link_types_gone",
        "projects_connected",
        "concurrent_change",
        "validation",
    ),
)
async def roll_back(
    connection: TheConnection, body: RollbackPost, services: Svc, caller: Who, response: Response
) -> RollbackAnswer:
    """Append a revision equal to an earlier one. It never raises the mode, and of the guard's
    limits, `on_issue_deleted` and `approvals` the stricter of both revisions holds. One that
    reaches more projects than the active one needs an administrator who is not confined. Once
    this returns, no intent of a later revision can commit."""
    done = await services.revisions.roll_back(
        connection.name,
        body.revision,
        undo=body.undo,
        note=body.note,
        by=caller.owner,
        may_widen=caller.role is Role.ADMIN and caller.connections is None,
        now=services.clock(),
        id=connection.id,
        confined_to=caller.connections,
    )
    etags.set_etag(response, done.connection.revision)
    async with services.database.connection() as conn:
        state = await active_connection.load(conn, done.connection.id)
    return RollbackAnswer(
        revision=done.connection.revision,
        rolled_back_to=body.revision,
        mode=done.connection.mode.value,
        paused=done.connection.paused if state is None else state.paused,
        plan_id=None if done.plan_id is None else str(done.plan_id),
    )


def _number(text: str) -> int:
    found = number(text, "revision_unknown")
    if found > _HIGHEST:
        raise Problem("revision_unknown")
    return found


async def _whole(
    services: Services, connection: ConnectionRow, revision: int, page: Page
) -> RevisionWhole:
    async with services.database.connection() as conn:
        active = await connections.by_id(conn, connection.id)
        found = await revisions.by_number(conn, connection.id, revision)
        trial = await shadow_revisions.of(conn, connection.id, revision)
        changes = await shadow_revisions.changes(
            conn, connection.id, revision, after=page.after_name(), limit=page.fetch
        )
    if active is None or found is None:
        raise Problem("revision_unknown")
    shown = page.answer(changes, TrialChange.of, lambda change: change.position)
    return RevisionWhole.of_whole(found, active.revision, trial, shown)


@contextmanager
def _below(place: str) -> Iterator[None]:
    """Pointers of refusals are into the configuration; in this body it has a place."""
    try:
        yield
    except Refused as refused:
        at = (FieldProblem(f"{place}{it.pointer}", it.detail) for it in refused.problems)
        raise Refused(refused.code, refused.detail, problems=tuple(at)) from None
