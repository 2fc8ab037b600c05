"""Incidents: read by people and machines, updated by people."""

from functools import partial

from app.api.auth.auth import Caller
from app.api.auth.roles import Role
from app.api.http.pages import LARGEST
from app.api.http.problems import Problem
from app.api.routing.dependencies import ConnectionFilter, Id, Paged, Svc, Who, number
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.incident import (
    IncidentAnswer,
    IncidentSummary,
    PublicationPut,
    UpdatePost,
    Wanted,
)
from app.core.incidents import Impact, State
from app.core.status_page.status import Component
from app.store.alerts import publications
from app.store.alerts.incidents import Incident
from app.store.pool import Connection
from app.store.views import incidents
from app.sync.incidents import publication
from app.sync.incidents import timeline as incidents_timeline
from app.wiring import Services

router = api_router("incidents")
_OPEN = tuple(state.value for state in State if state is not State.RESOLVED)


@router.get("/incidents", response_model=Listed[IncidentSummary])
async def list_incidents(
    services: Svc,
    caller: Who,
    page: Paged,
    *,
    connection: ConnectionFilter = None,
    state: Wanted | None = None,
) -> object:
    """Newest first. `open` are all but the resolved; of a connection, also what concerns one of
    its sites, or everything."""
    states = None if state is None else _OPEN if state == "open" else (state,)
    async with services.database.connection() as conn:
        found = await incidents.page(
            conn,
            within=caller.connections,
            connection=connection,
            states=states,
            before=page.after(LARGEST),
            limit=page.fetch,
        )
    return page.answer(found, partial(_summary, caller), lambda it: it.id)


@router.get("/incidents/{id}", responses=problems("incident_unknown"))
async def get_incident(id: Id, services: Svc, caller: Who) -> IncidentAnswer:
    """With its timeline and what to do next. Issue keys are for operators and above. Where it
    concerns more than a confined token's connections, that token sees no facts and no timeline."""
    return await _answer(services, caller, id)


@router.post(
    "/incidents/{id}/updates",
    status_code=201,
    responses=problems("incident_unknown", "incident_resolved"),
)
async def post_update(id: Id, body: UpdatePost, services: Svc, caller: Who) -> IncidentAnswer:
    """Say something of it, and where it stands. What is resolved takes texts only. Of what is on
    the status page, a token that is confined to connections changes the state only where no other
    connection joins the same sites."""
    async with services.database.connection() as conn:
        it = await _visible(conn, caller, id)
    if not _concerns_only(caller, it):
        raise Problem("forbidden", "it concerns more than the token's connections")
    await incidents_timeline.update(
        services.database,
        it.id,
        state=None if body.state is None else State(body.state),
        impact=None if body.impact is None else Impact(body.impact),
        text=body.text,
        by=caller.owner,
        now=services.clock(),
        confined_to=caller.connections,
    )
    return await _answer(services, caller, id)


@router.put("/incidents/{id}/publication", responses=problems("incident_unknown"))
async def put_publication(
    id: Id, body: PublicationPut, services: Svc, caller: Who
) -> IncidentAnswer:
    """Show it on the public status page, with these words. Its state and times are shown with
    them, and nothing else of it. A text that differs from the latest is added below the others."""
    await publication.publish(
        services.database,
        number(id, "incident_unknown"),
        impact=Impact(body.impact),
        text=body.text,
        title=body.title,
        component=None if body.component is None else Component(body.component),
        by=caller.owner,
        now=services.clock(),
    )
    return await _answer(services, caller, id)


@router.delete("/incidents/{id}/publication", responses=problems("incident_unknown"))
async def delete_publication(id: Id, services: Svc, caller: Who) -> IncidentAnswer:
    """Show nothing of it on the public status page any more; its words there are forgotten."""
    incident_id = number(id, "incident_unknown")
    await publication.withdraw(services.database, incident_id, by=caller.owner)
    return await _answer(services, caller, id)


async def _answer(services: Services, caller: Caller, id: str) -> IncidentAnswer:
    async with services.database.connection() as conn:
        it = await _visible(conn, caller, id)
        published = await publications.of_incident(conn, it.id)
        if not _concerns_only(caller, it):
            seen = await incidents.affected(conn, it, caller.connections)
            return IncidentAnswer.outline(it, seen, published)
        timeline = await incidents.timeline(conn, it.id)
        connections = await incidents.affected(conn, it, caller.connections)
        issues = None
        if caller.role.includes(Role.OPERATOR):
            issues = await incidents.issues(conn, it)
    return IncidentAnswer.whole(it, timeline, connections, issues, published)


def _summary(caller: Caller, it: Incident) -> IncidentSummary:
    return IncidentSummary.of(it) if _concerns_only(caller, it) else IncidentSummary.outline_of(it)


def _concerns_only(caller: Caller, it: Incident) -> bool:
    """Whether no connection beyond the caller's is concerned. Of a site, or of everything, a
    confined caller learns that it is so, and no detail: facts and texts are of all tenants."""
    return caller.connections is None or it.place.connection_id in caller.connections


async def _visible(conn: Connection, caller: Caller, id: str) -> Incident:
    incident_id = number(id, "incident_unknown")
    it = await incidents.by_id(conn, incident_id, caller.connections)
    if it is None:
        raise Problem("incident_unknown")
    return it
