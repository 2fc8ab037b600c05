"""Connections: the configuration as it is sent, and with its operating state as it is answered."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Name, ProjectKey, Storable
from app.core.config import (
    ConnectionConfig,
    Direction,
    End,
    GuardLimits,
    OnIssueDeleted,
    OnMirrorRemoved,
    TwinSource,
    WindowLimits,
)
from app.core.links import ProjectKey as Project
from app.core.links import Side
from app.store.connections import Revision
from app.sync.connection_spec import ConnectionSpec, TypeWish
from app.sync.connection_view import View

ModeName = Literal["shadow", "create_only", "review", "live"]
DirectionName = Literal["left_to_right", "right_to_left", "both"]
TypeName = Annotated[str, Field(min_length=1, max_length=255), Storable]
_DEFAULTS = GuardLimits()


class EndBody(Body):
    site: Name
    projects: Annotated[list[ProjectKey], Field(min_length=1, max_length=1000)]

    def value(self) -> End:
        return End(self.site, tuple(Project(key) for key in self.projects))


class TypeBody(Body):
    left: TypeName = Field(description="Name or id of a link type of the left site")
    right: TypeName
    reversed: bool = Field(default=False, description="A left source is a right destination")


class HourBody(Body):
    share: float = Field(_DEFAULTS.hour.share, allow_inf_nan=False)
    min: int = _DEFAULTS.hour.min
    max: int = _DEFAULTS.hour.max


class DayBody(Body):
    share: float = Field(_DEFAULTS.day.share, allow_inf_nan=False)
    min: int = _DEFAULTS.day.min
    max: int = _DEFAULTS.day.max


class GuardBody(Body):
    """Bounds: share 0.001 to 0.5; max at most 500 an hour and 2,000 a day."""

    hour: HourBody = HourBody()
    day: DayBody = DayBody()

    def value(self) -> GuardLimits:
        hour, day = self.hour, self.day
        return GuardLimits(
            WindowLimits(hour.share, hour.min, hour.max), WindowLimits(day.share, day.min, day.max)
        )


class ApiTwins(Body):
    source: Literal["api"]

    def value(self) -> TwinSource:
        return TwinSource()


class FieldTwins(Body):
    """The custom field of one side that holds the other issue's key or address."""

    source: Literal["field"]
    side: Literal["left", "right"]
    field: Annotated[str, Field(pattern=r"^customfield_[0-9]{1,18}$")]

    def value(self) -> TwinSource:
        return TwinSource("field", Side(self.side), self.field)


class ConnectionPut(Body):
    left: EndBody
    right: EndBody
    direction: DirectionName
    link_types: Annotated[list[TypeBody], Field(min_length=1, max_length=200)]
    on_mirror_removed: Literal["detach", "recreate"] = "detach"
    on_issue_deleted: Literal["keep", "remove"] = "keep"
    guard: GuardBody = GuardBody()
    twins: Annotated[ApiTwins | FieldTwins, Field(discriminator="source")] = ApiTwins(source="api")

    def spec(self) -> ConnectionSpec:
        return ConnectionSpec(
            left=self.left.value(),
            right=self.right.value(),
            direction=Direction(self.direction),
            link_types=tuple(TypeWish(t.left, t.right, t.reversed) for t in self.link_types),
            on_mirror_removed=OnMirrorRemoved(self.on_mirror_removed),
            on_issue_deleted=OnIssueDeleted(self.on_issue_deleted),
            guard=self.guard.value(),
            twins=self.twins.value(),
        )


class ModePut(Body):
    mode: ModeName


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
    scope: str
    seconds: int
    limit: int
    used: int


class GuardAnswer(GuardLimitsAnswer):
    """Its limits as they are configured, and where it stands now."""

    state: Literal["armed", "tripped"]
    tripped_at: datetime | None
    reason: str | None
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

    @classmethod
    def of_view(cls, view: View) -> "ConnectionAnswer":
        return cls.model_validate(_connection(view))


class ConnectionStored(ConnectionAnswer):
    next_step: str = Field(description="What to do next, in a sentence")

    @classmethod
    def of_put(cls, view: View, next_step: str) -> "ConnectionStored":
        return cls.model_validate({**_connection(view), "next_step": next_step})


class RevisionAnswer(Answer):
    revision: int
    config: ConfigAnswer
    note: str
    author: str
    created_at: datetime
    active: bool

    @classmethod
    def of(cls, it: Revision, active: int) -> "RevisionAnswer":
        return cls(
            revision=it.revision,
            config=ConfigAnswer.of(it.config),
            note=it.note,
            author=it.author,
            created_at=it.created_at,
            active=it.revision == active,
        )


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
    failed: int = Field(description="Pairs given up after their tries")
    unconfirmed: int = Field(description="Writes whose outcome is not known yet")
    oldest_seconds: float | None = Field(description="Age of the oldest work; null without any")


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
    }
