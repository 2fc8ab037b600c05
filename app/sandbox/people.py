"""People and other tools at work: what tests, the demo and simulations drive a site with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.sandbox import issues, links
from app.sandbox.model import Comment, Issue, Link, Refusal, User
from app.sandbox.site import JiraSite
from app.sandbox.visibility import NO_LINK


def person_on(site: JiraSite, name: str) -> Person:
    """The user *name* of *site* in the browser."""
    return Person(site, site.users[name])


@dataclass(frozen=True, slots=True)
class Person:
    """Acts at once and under Jira's rules: Refusal where REST would refuse."""

    site: JiraSite
    user: User

    def link(self, source: str, type_name: str, destination: str, *, cause: str = "link") -> Link:
        """`link("A-1", "Blocks", "A-2")`: A-1 blocks A-2. The identical link is returned."""
        start, end = self._seen(source), self._seen(destination)
        type_ = self.site.link_type(type_name)
        links.check_create(self.site, self.user, start, end)
        links.check_limit(self.site, type_, start, end)
        return links.create(self.site, self.user, type_, start, end, cause=cause)[0]

    def link_again(self, link: Link) -> Link:
        """The very same link once more, as some sites have it."""
        start, end = self.site.issues[link.source], self.site.issues[link.destination]
        type_ = self.site.types[link.type_id]
        links.check_create(self.site, self.user, start, end)
        return links.create(self.site, self.user, type_, start, end, again=True)[0]

    def unlink(
        self, link: Link | int | str, type_name: str | None = None, destination: str | None = None
    ) -> None:
        """By link or its id, or `unlink("A-1", "Blocks", "A-2")`."""
        if isinstance(link, str) and type_name is not None and destination is not None:
            start, end = self._seen(link), self._seen(destination)
            triple = (self.site.link_type(type_name).id, start.id, end.id)
            number = self.site.triples.get(triple)
            if number is None:
                raise Refusal(404, f"{link} {type_name} {destination} does not exist.")
        else:
            number = link.id if isinstance(link, Link) else int(link)
        if number not in self.site.links:
            raise Refusal(404, NO_LINK.format(number))
        found = self.site.links[number]
        links.check_remove(self.site, self.user, found)
        links.remove(self.site, self.user, found)

    def create(
        self, project: str, summary: str, description: str = "", issuetype: str = "Task"
    ) -> Issue:
        found = self.site.project(project)
        if found is None or not self.site.can(self.user, "CREATE_ISSUES", found):
            raise Refusal(404, f"No project could be found with key '{project}'.")
        return issues.create(
            self.site, self.user, found, summary, description=description, issuetype=issuetype
        )

    def clone(self, issue: str, *, with_links: bool = False) -> Issue:
        """A copy in the same project with all custom fields, a twin field too; and its links with
        *with_links*."""
        found = self._seen(issue)
        project = self.site.projects[found.project]
        summary = f"CLONE - {found.summary}"
        made = issues.create(self.site, self.user, project, summary, custom=found.custom)
        for number in list(found.links) if with_links else ():
            link = self.site.links[number]
            ends = [
                made if end == found.id else self.site.issues[end]
                for end in (link.source, link.destination)
            ]
            type_ = self.site.types[link.type_id]
            links.create(self.site, self.user, type_, ends[0], ends[1], cause="clone")
        return made

    def edit(self, issue: str, **values: Any) -> None:
        """System fields by name, custom fields by id: `edit("A-1", customfield_10050="B-1")`."""
        issues.edit(self.site, self.user, self._seen(issue), values)

    def comment(self, issue: str, body: str) -> Comment:
        return issues.comment(self.site, self.user, self._seen(issue), body)

    def move(self, issue: str, project: str) -> str:
        """Returns the new key."""
        found = self.site.project(project)
        if found is None:
            raise Refusal(404, f"No project could be found with key '{project}'.")
        return issues.move(self.site, self.user, self._seen(issue), found)

    def archive(self, issue: str, archived: bool = True) -> None:
        issues.archive(self.site, self.user, self._seen(issue), archived)

    def hide(self, issue: str, user: str, hidden: bool = True) -> None:
        """Take `issue` out of sight of `user`."""
        issues.hide(self._seen(issue), user, hidden)

    def delete(self, issue: str) -> None:
        issues.delete(self.site, self.user, self._seen(issue))

    def _seen(self, ref: str) -> Issue:
        return self.site.seen(self.user, ref)
