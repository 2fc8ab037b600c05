"""Which issues a side of a connection covers.

A configuration names projects by key. A key may be changed in Jira and given to another project, so
each is pinned to the id of the project that has it when it is first seen; from then on the id
decides, and the key is followed. A key that was never seen is compared as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.core.config import ConnectionConfig, End
from app.core.evidence import IssueView
from app.core.links import IssueKey, ProjectId, ProjectKey, Side, project_of


@dataclass(frozen=True, slots=True)
class Pin:
    """`key` is the project's key now, `former` those that it had since it was pinned."""

    configured: ProjectKey
    id: ProjectId
    key: ProjectKey
    former: frozenset[ProjectKey] = frozenset()

    def renamed(self, key: ProjectKey) -> "Pin":
        return replace(self, key=key, former=self.former | {self.key})

    def same_issue(self, old: IssueKey, view: IssueView) -> bool:
        """Whether *view*, the issue that we know as *old*, has another key only because this
        project has one: the same id, in the same project, under the same number."""
        project, number = project_of(old), old.rpartition("-")[2]
        return (
            view.project_id == self.id
            and view.project == self.key == project_of(view.ref.key)
            and project in self.former | {self.configured}
            and number == view.ref.key.rpartition("-")[2]
        )


@dataclass(frozen=True, slots=True)
class Projects:
    """Those of one side: as they are configured, and what is pinned of them."""

    configured: tuple[ProjectKey, ...]
    pins: tuple[Pin, ...] = field(default=())

    @property
    def keys(self) -> tuple[ProjectKey, ...]:
        """Under which they are searched now, in the order of the configuration."""
        now = {pin.configured: pin.key for pin in self.pins}
        return tuple(dict.fromkeys(now.get(key, key) for key in self.configured))

    def hold(self, view: IssueView) -> bool:
        if view.project_id is None:
            return view.project in self.keys
        pinned = {pin.configured: pin.id for pin in self.pins}
        return any(
            pinned[key] == view.project_id if key in pinned else key == view.project
            for key in self.configured
        )

    def news(self, views: Iterable[IssueView]) -> Iterator[Pin]:
        """Pins that these issues show to be missing, or whose project has another key by now."""
        pins = {pin.configured: pin for pin in self.pins if pin.configured in self.configured}
        for view in views:
            if view.project_id is None:
                continue
            if view.project in self.configured and view.project not in pins:
                pins[view.project] = Pin(view.project, view.project_id, view.project)
                yield pins[view.project]
            for pin in list(pins.values()):
                if pin.id == view.project_id and pin.key != view.project:
                    pins[pin.configured] = pin.renamed(view.project)
                    yield pins[pin.configured]

    def with_pins(self, news: Iterable[Pin]) -> "Projects":
        known = {pin.configured: pin for pin in (*self.pins, *news)}
        return Projects(self.configured, tuple(known.values()))


def followed(config: ConnectionConfig, pins: Mapping[Side, tuple[Pin, ...]]) -> ConnectionConfig:
    """The configuration with the keys that its projects have now."""
    left, right = (
        End(config.end(side).site, Projects(config.end(side).projects, pins[side]).keys)
        for side in Side
    )
    return replace(config, left=left, right=right)
