"""Incidents: what is wrong, what the service knows of it, and what to do next."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, JsonObject, Storable
from app.core.incident_words import calls
from app.core.incidents import public, traits_of, wakes
from app.core.status_page.status import Published
from app.store.alerts.incidents import Incident
from app.store.views.incidents import EntryShown

State = Literal["investigating", "identified", "monitoring", "resolved"]
Impact = Literal["none", "minor", "major", "critical"]
Component = Literal["deliveries", "links", "removals"]
Wanted = Literal["open", "investigating", "identified", "monitoring", "resolved"]


class UpdatePost(Body):
    text: Annotated[str, Field(min_length=1, max_length=4000), Storable]
    state: State | None = Field(
        default=None, description="Resolving also acknowledges that a database went back in time"
    )
    impact: Impact | None = None


class PublicationPut(Body):
    """Written for the public: neither this installation's names nor issue keys belong into it."""

    impact: Impact
    text: Annotated[str, Field(min_length=1, max_length=2000), Storable]
    title: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = Field(
        default=None, description="As it was; at first that of its kind"
    )
    component: Component | None = Field(
        default=None, description="As it was; at first that which its kind concerns"
    )


class PublicUpdate(Answer):
    at: datetime
    state: State
    text: str


class Publication(Answer):
    component: Component
    impact: Impact
    title: str
    updates: list[PublicUpdate] = Field(description="Oldest first")

    @classmethod
    def of(cls, it: Published) -> "Publication":
        return cls.model_validate(it)


class IncidentSummary(Answer):
    id: str
    kind: str
    title: str
    state: State
    impact: Impact
    wakes: bool = Field(description="Whether it goes to the pagers")
    connection: str | None = Field(description="Null where it concerns a site, or everything")
    site: str | None
    opened_at: datetime
    last_seen_at: datetime
    quiet_since: datetime | None = Field(description="Since when its condition is gone")
    resolved_at: datetime | None
    resolved_by: str | None

    @classmethod
    def of(cls, it: Incident) -> "IncidentSummary":
        return cls.model_validate(_head(it))

    @classmethod
    def outline_of(cls, it: Incident) -> "IncidentSummary":
        """For a caller who is confined to some of the connections that it concerns."""
        return cls.model_validate(_outline(it))


class TimelineEntry(Answer):
    at: datetime
    last_at: datetime
    times: int = Field(description="How often it happened until `last_at`")
    author: str = Field(description="`twinlink`, or the owner of a token")
    state: State
    impact: Impact
    text: str
    detail: JsonObject


class NextCall(Answer):
    purpose: str
    method: str
    path: str = Field(description="Below `/api/v1`")
    body: JsonObject | None
    command: str = Field(description="The same, on the command line")


class IncidentAnswer(IncidentSummary):
    connections: list[str] = Field(description="Those that it concerns")
    facts: JsonObject = Field(description="The latest known; entries keep the former ones")
    calls: list[NextCall] = Field(description="What to do next: roll back, restore, look")
    issues: list[str] | None = Field(
        description="Keys of the issues affected, at most 1000; null below the role operator"
    )
    timeline: list[TimelineEntry] = Field(description="Oldest first")
    publication: Publication | None = Field(
        description="What the public status page shows of it; null, as at first: nothing"
    )

    @classmethod
    def outline(
        cls, it: Incident, connections: list[str], published: Published | None
    ) -> "IncidentAnswer":
        """As `outline_of`: that it is so, and nothing that other tenants caused or wrote."""
        empty: JsonObject = {"facts": {}, "calls": [], "issues": None, "timeline": []}
        empty["publication"] = _publication(published)
        return cls.model_validate({**_outline(it), **empty, "connections": connections})

    @classmethod
    def whole(
        cls,
        it: Incident,
        timeline: list[EntryShown],
        connections: list[str],
        issues: list[str] | None,
        published: Published | None,
    ) -> "IncidentAnswer":
        """*issues* None: nothing that names an issue is shown."""
        hidden = issues is None
        entries = [
            TimelineEntry.copied(entry, detail=_shown(entry.detail, hidden=hidden))
            for entry in timeline
        ]
        following = calls(it.kind, it.facts, connection=it.connection, site=it.site)
        return cls.model_validate(
            {
                **_head(it),
                "connections": connections,
                "facts": _shown(it.facts, hidden=hidden),
                "calls": following,
                "issues": issues,
                "timeline": entries,
                "publication": _publication(published),
            }
        )


def _publication(it: Published | None) -> Publication | None:
    return None if it is None else Publication.of(it)


def _shown(detail: JsonObject, *, hidden: bool) -> JsonObject:
    return public(detail) if hidden else detail


def _outline(it: Incident) -> JsonObject:
    return {**_head(it), "resolved_by": None}


def _head(it: Incident) -> JsonObject:
    plain = ("kind", "state", "impact", "connection", "site", "opened_at", "last_seen_at")
    times = ("quiet_since", "resolved_at", "resolved_by")
    return {
        **{name: getattr(it, name) for name in (*plain, *times)},
        "id": str(it.id),
        "title": traits_of(it.kind).title,
        "wakes": wakes(it.kind, it.impact),
    }
