"""The only place that builds audit rows: of intents and of links whose manager changes."""

from collections.abc import Mapping

from app.core.links import IssueRef, LinkId, Side, TypeId
from app.core.operations import Operation, Status
from app.store.config.active_connection import Running
from app.store.queue.work import Cause
from app.store.writes.audit import Entry
from app.store.writes.intents import Intent


def entry(
    state: Running,
    side: Side,
    operation: Operation,
    status: Status,
    *,
    link_id: LinkId | None,
    type_id: TypeId,
    source: IssueRef,
    destination: IssueRef,
    managed: bool,
    cause: Cause,
    evidence: Mapping[str, str],
    type_name: str | None = None,
    revision: int | None = None,
    intent_id: int | None = None,
    plan_id: int | None = None,
    actor: str = "twinlink",
) -> Entry:
    """A row about a link of *side*. Without *type_name* the type's name is the mapped one, empty
    where the type is not mapped; without *revision* the connection's own is named."""
    return Entry(
        site=state.site_name(side),
        operation=operation,
        status=status,
        link_id=link_id,
        type_id=type_id,
        type=_mapped(state, side, type_id) if type_name is None else type_name,
        source_id=source.id,
        source_key=source.key,
        destination_id=destination.id,
        destination_key=destination.key,
        managed=managed,
        cause=cause,
        revision=state.revision if revision is None else revision,
        intent_id=intent_id,
        plan_id=plan_id,
        evidence=evidence,
        actor=actor,
    )


def of_intent(
    state: Running,
    intent: Intent,
    status: Status,
    evidence: Mapping[str, str],
    *,
    managed: bool = True,
    type_name: str | None = None,
    link_id: LinkId | None = None,
) -> Entry:
    """The row of an intent (`intended`) or of its outcome; *link_id* of a link that it made."""
    wanted = intent.wanted
    return entry(
        state,
        state.side_of(wanted.site),
        wanted.operation,
        status,
        link_id=wanted.link_id if link_id is None else link_id,
        type_id=wanted.type_id,
        type_name=type_name,
        source=wanted.source,
        destination=wanted.destination,
        managed=managed,
        cause=wanted.cause,
        revision=intent.revision,
        intent_id=intent.id,
        plan_id=wanted.plan_id,
        evidence=evidence,
    )


def _mapped(state: Running, side: Side, type_id: TypeId) -> str:
    types = [pair.on(side) for pair in state.config.link_types]
    return next((kind.name for kind in types if kind.id == type_id), "")
