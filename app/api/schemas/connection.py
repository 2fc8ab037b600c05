"""Connections as they are answered: configuration, operating state, revisions, status."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer
from app.api.schemas.site import Finding
from app.core.config import (
    ConnectionConfig,
)
from app.core.links import Side
from app.store.views.status import Load
from app.sync.connections.view import View
from app.sync.guard.reset import Resets
from app.sync.sites.check import Finding as Found

ModeName = Literal["shadow", "create_only", "review", "live"]
DirectionName = Literal["left_to_right", "right_to_left", "both"]


class EndAnswer(Answer):
    site: str
    projects: list[str]


class TypeAnswer(Answer):
    left: str
    right: str
    reversed: bool


class WindowLimitsAnswer(Answer):
    share: float
    min: int
    max: int


class GuardLimitsAnswer(Answer):
    hour: WindowLimitsAnswer
    day: WindowLimitsAnswer


class WindowAnswer(Answer):
    scope: str = Field(
        description="`hour` and `day` are the connection's own; `left_site_hour` and"
        " `right_site_hour` are shared by all connections of that site; `unpaired_hour` and"
        " `unpaired_day` count links that are let go"
    )
    seconds: int
    limit: int
    used: int = Field(
        description="Removals, and mirrors that vanished by someone else's hand; or links let go"
    )


class ResetsAnswer(Answer):
    """A reset opens fresh windows, so that a day has room for only so many."""

    limit: int
    used: int = Field(description="Within the last 24 hours")
    next_at: datetime | None = Field(description="When the next is possible; null: now")
    last_at: datetime | None
    last_by: str | None


class GuardAnswer(GuardLimitsAnswer):
    """Its limits as they are configured, and where it stands now."""

    state: Literal["armed", "tripped"]
    tripped_at: datetime | None
    reason: str | None
    resets: ResetsAnswer
    windows: list[WindowAnswer]


class TwinsAnswer(Answer):
    source: Literal["api", "field"]
    side: Literal["left", "right"] | None
    field: str | None


class ConfigAnswer(Answer):
    left: EndAnswer
    right: EndAnswer
    direction: DirectionName
    link_types: list[TypeAnswer]
    on_mirror_removed: Literal["detach", "recreate"]
    on_issue_deleted: Literal["keep", "remove"]
    guard: GuardLimitsAnswer
    twins: TwinsAnswer
    approvals: int = Field(description="How many owners a plan needs to be applied")

    @classmethod
    def of(cls, config: ConnectionConfig) -> "ConfigAnswer":
        return cls.model_validate(_config(config))


class ConnectionAnswer(ConfigAnswer):
    name: str
    revision: int
    mode: ModeName
    paused: bool = Field(description="By its own pause or by the global one")
    paused_at: datetime | None
    guard: GuardAnswer
    created_at: datetime
    next_step: str = Field(description="What to do next and what it would do, in a sentence")
    next_command: str = Field(description="The same with commands in place of routes")

    @classmethod
    def of_view(cls, view: View) -> "ConnectionAnswer":
        return cls.model_validate(_connection(view))


class SideFinding(Finding):
    side: Literal["left", "right"]


class ConnectionStored(ConnectionAnswer):
    findings: list[SideFinding] = Field(
        description="What our account may not do in the projects; empty: nothing is missing"
    )

    @classmethod
    def of_put(cls, view: View, findings: Mapping[Side, Iterable[Found]]) -> "ConnectionStored":
        shown = [
            SideFinding(side=side.value, code=it.code, severity=it.severity, detail=it.detail)
            for side in Side
            for it in findings[side]
        ]
        return cls(**ConnectionAnswer.of_view(view).model_dump(), findings=shown)


class Released(Answer):
    released: int = Field(description="Links that are now unmanaged; none was removed")


class StatusAnswer(Answer):
    """Quiet is backlog = in_flight = delayed = resyncs = 0."""

    backlog: int = Field(description="Pairs due for a look")
    in_flight: int = Field(description="Pairs that a worker looks at now")
    delayed: int = Field(description="Pairs whose look is due later")
    resyncs: int = Field(description="Resyncs queued or running")
    waiting: int = Field(description="Pairs whose last look ended without knowing enough")
    unknown: int = Field(description="Of these, pairs of which a site did not show enough")
    held: int = Field(description="Changes that wait for a person's decision")
    unpairing: int = Field(description="Pairs suspended until a person decides whether they end")
    let_go: int = Field(
        description="Pairs that ended and have links which the same pair, coming back within 30"
        " days, finds as they were: their twin field no longer names them, or a person unpaired"
        " them and had removed a mirror before"
    )
    failed: int = Field(description="Pairs given up after their tries")
    dismissed: int = Field(description="Such pairs that a person has dismissed")
    unconfirmed: int = Field(description="Writes whose outcome is not known yet")
    oldest_seconds: float | None = Field(description="Age of the oldest work; null without any")
    pairs_suspended: int = Field(description="Pairs that are out of scope or claimed twice")
    suspended: int = Field(description="Links at rest until they are in scope again")
    orphaned: int = Field(description="Links of which an issue is deleted or cannot be seen")
    detached: int = Field(description="Links of which one side is gone, that are left alone")
    released: int = Field(description="Mirrors that no connection manages any more; history")


class NamedStatus(StatusAnswer):
    connection: str

    @classmethod
    def of(cls, it: tuple[str, Load]) -> "NamedStatus":
        name, load = it
        return cls.copied(load, connection=name)


class PauseAnswer(Answer):
    paused: bool
    paused_at: datetime | None
    paused_by: str | None


def _config(config: ConnectionConfig) -> dict[str, object]:
    plain = config.to_json()
    types = [
        {"left": pair.left.name, "right": pair.right.name, "reversed": pair.reversed}
        for pair in config.link_types
    ]
    return {**plain, "link_types": types}


def _connection(view: View) -> dict[str, object]:
    row = view.row
    guard = {
        **row.config.to_json()["guard"],
        "state": "tripped" if row.tripped else "armed",
        "tripped_at": row.guard_tripped_at,
        "reason": row.guard_trip_reason,
        "resets": _resets(view.resets),
        "windows": [WindowAnswer.model_validate(window) for window in view.windows],
    }
    return {
        **_config(row.config),
        "name": row.name,
        "revision": row.revision,
        "mode": row.mode.value,
        "paused": view.paused,
        "paused_at": row.paused_at,
        "guard": guard,
        "created_at": row.created_at,
        "next_step": view.next_step,
        "next_command": view.next_command,
    }


def _resets(it: Resets) -> ResetsAnswer:
    return ResetsAnswer(
        limit=it.limit,
        used=it.used,
        next_at=it.next_at,
        last_at=it.last.at if it.last else None,
        last_by=it.last.by if it.last else None,
    )
