"""A Data Center that moves to Cloud: the same keys, people, links and changelogs under new ids.

In a phased migration only some issues come at a time, and a link comes with the later of its ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from app.sandbox.model import Issue, Link
from app.sandbox.site import JiraSite


@dataclass(slots=True)
class Migration:
    """`there` must have the projects, users and link types, by key, name and name."""

    here: JiraSite
    there: JiraSite
    issues: dict[int, int] = field(default_factory=dict)
    links: dict[int, int] = field(default_factory=dict)

    def bring(self, keys: Iterable[str] | None = None) -> None:
        """These issues, all without *keys*, with the links that have both ends there then."""
        wanted = None if keys is None else set(keys)
        for issue in self.here.issues.values():
            if issue.id not in self.issues and (wanted is None or issue.key in wanted):
                self._issue(issue)
        for link in self.here.links.values():
            ends = self.issues.get(link.source), self.issues.get(link.destination)
            if link.id not in self.links and ends[0] is not None and ends[1] is not None:
                self._link(link, ends[0], ends[1])

    def _issue(self, issue: Issue) -> None:
        project = self.there.project(self.here.projects[issue.project].key)
        if project is None:
            raise KeyError(issue.key)
        number = self.there.next_id("issue")
        made = replace(
            issue,
            id=number,
            project=project.id,
            links={},
            history=[replace(it, id=self.there.next_id("history")) for it in issue.history],
        )
        self.there.issues[number] = made
        self.there.issue_keys[made.key] = number
        project.issues[number] = None
        project.last_number = max(project.last_number, int(made.key.rpartition("-")[2]))
        self.issues[issue.id] = number

    def _link(self, link: Link, source: int, destination: int) -> None:
        type_ = self.there.link_type(self.here.types[link.type_id].name)
        made = Link(self.there.next_id("link"), type_.id, source, destination, link.created)
        self.there.links[made.id] = made
        self.there.triples.setdefault((type_.id, source, destination), made.id)
        for end in (source, destination):
            self.there.issues[end].links[made.id] = None
        self.links[link.id] = made.id
