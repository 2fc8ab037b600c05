"""What the table of fields needs to know about the caller for whom an issue is rendered."""

from typing import Any, Protocol

from app.sandbox.model import Issue, Project
from app.sandbox.site import JiraSite

Json = dict[str, Any]


class View(Protocol):
    """What one caller may see, and how it is written. `rest` starts every `self` of this caller's
    version of the API."""

    site: JiraSite
    rest: str

    def time(self, at: int) -> str:
        """*at*, in milliseconds, in the caller's zone and Jira's notation."""
        ...

    def person(self, name: str | None, *, email: bool = True) -> Json | None:
        """UserDetails; None for no such user."""
        ...

    def rich(self, text: str) -> str | Json | None:
        """Text in the notation of the caller's version of the API."""
        ...

    def issuelinks(self, issue: Issue) -> list[Json]:
        """The links that the caller may see."""
        ...

    def project(self, made: Project) -> Json: ...

    def status(self, name: str) -> Json: ...

    def priority(self, name: str) -> Json: ...

    def issuetype(self, name: str) -> Json: ...
