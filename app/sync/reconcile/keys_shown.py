"""What a caller who is confined to connections is shown of issues out of their scope."""

from app.core.links import IssueId, IssueKey, IssueRef, Side, project_of
from app.sync.look.snapshot import Look

HIDDEN = IssueRef(IssueId(""), IssueKey("hidden"))
"""An issue of a project that is not the caller's: that the link has another end is all."""


def shown(look: Look, side: Side, issue: IssueRef) -> IssueRef:
    """As it is where its project is in scope. An issue of a pair that moved away is called as it
    was; any other is hidden."""
    if project_of(issue.key) in look.running.projects(side).keys:
        return issue
    for twin in look.twins.values():
        if twin.on(side).id == issue.id and twin.known is not None:
            return IssueRef(issue.id, twin.name(side))
    return HIDDEN
