"""A connection's configuration and mode as they are sent."""

from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Body, Name, ProjectKey, Storable
from app.api.schemas.connection import DirectionName, ModeName
from app.core.config import (
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
from app.sync.connections.spec import ConnectionSpec, TypeWish

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
    approvals: int = Field(
        default=1, ge=1, le=2, description="2: a plan is applied once two owners approved it"
    )

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
            approvals=self.approvals,
        )


class ModePut(Body):
    mode: ModeName
