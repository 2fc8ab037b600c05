"""Why each link of an issue is as it is."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.audit import AuditRow
from app.api.schemas.base import Answer, Issue, JsonObject
from app.core.links import Side
from app.sync.reconcile.explain import EndShown, Explained


class ExplainedEnd(Answer):
    link_id: str | None
    type: str
    type_was: list[str] = Field(description="Names that the type had before")
    source: Issue
    destination: Issue


class ExplainedLink(Answer):
    state: str | None = Field(description="In the ledger; null without a row")
    origin: Literal["left", "right"] | None
    authorship: Literal["ours", "adopted", "theirs", "unknown"] | None
    row: int | None = Field(description="Of the decision table; null where it was not asked")
    outcome: str = Field(description="What a look would do now")
    reason: str
    left: ExplainedEnd | None = Field(description="null: no such link could be there")
    right: ExplainedEnd | None
    evidence: JsonObject = Field(description="By side: what it showed just now")
    history: list[AuditRow]

    @classmethod
    def of(cls, it: Explained) -> "ExplainedLink":
        plain = {name: getattr(it, name) for name in ("state", "authorship", "row", "outcome")}
        sides = {side.value: _end(it.ends.get(side)) for side in Side}
        shown = {side.value: dict(seen) for side, seen in it.evidence.items()}
        origin = None if it.origin is None else it.origin.value
        return cls.model_validate(
            {
                **plain,
                **sides,
                "origin": origin,
                "reason": it.reason,
                "evidence": shown,
                "history": [dict(row) for row in it.history],
            }
        )


class Explanation(Answer):
    issue: str
    items: list[ExplainedLink]


def _end(end: EndShown | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {
        "link_id": end.link_id,
        "type": end.type.name or end.type.id,
        "type_was": list(end.type.former_names),
        "source": {"id": end.source.id, "key": end.source.key},
        "destination": {"id": end.destination.id, "key": end.destination.key},
    }
