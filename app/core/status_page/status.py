"""What strangers may see: components, ninety days, and the incidents that a person published.

Nothing here comes from an incident itself but its id, its state and its times. Title, texts,
component and impact are those that a person chose for the public.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from app.core.incidents import Impact, IncidentKind, State

DAYS: Final = 90


class Component(StrEnum):
    """What a stranger may ask about."""

    DELIVERIES = "deliveries"
    LINKS = "links"
    REMOVALS = "removals"


TITLES: Final[Mapping[Component, str]] = {
    Component.DELIVERIES: "Receiving changes from Jira",
    Component.LINKS: "Keeping links in step",
    Component.REMOVALS: "Removing links",
}

_OF_KIND: Final[Mapping[str, Component]] = {
    IncidentKind.DELIVERIES_REJECTED: Component.DELIVERIES,
    IncidentKind.DELIVERIES_ASTRAY: Component.DELIVERIES,
    IncidentKind.GUARD_TRIPPED: Component.REMOVALS,
    IncidentKind.MIRRORS_VANISHED: Component.REMOVALS,
    IncidentKind.UNMANAGED_REMOVED: Component.REMOVALS,
    IncidentKind.REMOVAL_UNCLEAR: Component.REMOVALS,
}


def component_of(kind: str) -> Component:
    """The component that an incident of this kind concerns, unless a person names another."""
    return _OF_KIND.get(kind, Component.LINKS)


@dataclass(frozen=True, slots=True)
class Update:
    id: int
    at: datetime
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Published:
    """`updates` oldest first; there is at least one."""

    id: int
    component: Component
    impact: Impact
    title: str
    state: State
    started_at: datetime
    resolved_at: datetime | None
    updates: Sequence[Update]

    @property
    def is_open(self) -> bool:
        return self.state is not State.RESOLVED

    @property
    def updated_at(self) -> datetime:
        latest = self.updates[-1].at
        return max(latest, self.resolved_at) if self.resolved_at else latest

    def days(self, now: datetime) -> tuple[date, date]:
        """Its first and last day, in UTC."""
        last = self.resolved_at or now
        return self.started_at.astimezone(UTC).date(), last.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    impact: Impact


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """`incidents`: newest first."""

    at: datetime
    incidents: Sequence[Published]

    @property
    def open_ones(self) -> list[Published]:
        return [it for it in self.incidents if it.is_open]

    def impact(self, component: Component | None = None) -> Impact:
        """The worst impact that is open now, of a component or of all."""
        felt = [it.impact for it in self.open_ones if component in {None, it.component}]
        return max(felt, key=lambda it: it.rank, default=Impact.NONE)

    def history(self, component: Component) -> list[Day]:
        """The worst impact of each of the last ninety days, oldest first."""
        today = self.at.astimezone(UTC).date()
        days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
        worst = dict.fromkeys(days, Impact.NONE)
        for it in self.incidents:
            if it.component is component:
                first, last = it.days(self.at)
                for day in days:
                    if first <= day <= last and it.impact.rank > worst[day].rank:
                        worst[day] = it.impact
        return [Day(day, worst[day]) for day in days]
