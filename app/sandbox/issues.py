"""What happens to issues: create, edit, comment, move, archive, hide, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox import events, links
from app.sandbox.model import ChangeItem, Comment, History, Issue, Project, User
from app.sandbox.site import JiraSite

EDITABLE = ("summary", "description", "priority", "status", "issuetype", "assignee")


def create(
    site: JiraSite,
    actor: User,
    project: Project,
    summary: str,
    *,
    description: str = "",
    issuetype: str = "Task",
    custom: Mapping[str, Any] | None = None,
) -> Issue:
    """A new issue under the next free key of its project."""
    number = site.next_id("issue")
    at = site.now()
    issue = Issue(
        id=number,
        project=project.id,
        key=_next_key(project),
        summary=summary,
        description=description,
        reporter=actor.name,
        created=at,
        updated=at,
        issuetype=issuetype,
        custom=dict(custom or {}),
    )
    site.issues[number] = issue
    site.issue_keys[issue.key] = number
    project.issues[number] = None
    events.issue(site, "jira:issue_created", "issue_created", actor, issue)
    return issue


def edit(site: JiraSite, actor: User, issue: Issue, values: Mapping[str, Any]) -> History | None:
    """Set fields (system fields by name, others by custom field id); None if nothing changed."""
    items = []
    for name, value in values.items():
        if name == "labels":
            before: Any = " ".join(issue.labels)
            issue.labels = tuple(value)
            shown: Any = " ".join(issue.labels)
        elif name in EDITABLE:
            before, shown = getattr(issue, name), value
            setattr(issue, name, value)
        else:
            before, shown = issue.custom.get(name), value
            issue.custom[name] = value
        if before != shown:
            items.append(_item(site, name, before, shown))
    if not items:
        return None
    return _record(site, actor, issue, tuple(items), "issue_updated")


def comment(site: JiraSite, actor: User, issue: Issue, body: str) -> Comment:
    """Adds a comment; sends comment_created and jira:issue_updated, as Jira does."""
    at = site.now()
    made = Comment(site.next_id("comment"), actor.name, body, at)
    issue.comments = (*issue.comments, made)
    links.touch(issue, at)
    events.comment(site, "comment_created", actor, issue, made)
    events.issue(site, "jira:issue_updated", "issue_commented", actor, issue)
    return made


def move(site: JiraSite, actor: User, issue: Issue, project: Project) -> str:
    """To another project: new key, same id, the old key goes on resolving. Returns the new key."""
    origin = site.projects[issue.project]
    former = issue.key
    issue.key = _next_key(project)
    issue.project = project.id
    del origin.issues[issue.id]
    project.issues[issue.id] = None
    del site.issue_keys[former]
    site.moved_keys[former] = issue.id
    site.issue_keys[issue.key] = issue.id
    items = (
        ChangeItem("project", "jira", "project", str(origin.id), origin.name, str(project.id),
                   project.name),
        ChangeItem("Workflow", "jira", None, str(origin.id + 1), f"Workflow for {origin.key}",
                   str(project.id + 1), f"Workflow for {project.key}"),
        ChangeItem("Key", "jira", None, None, former, None, issue.key),
    )  # fmt: skip
    _record(site, actor, issue, items, "issue_moved")
    return issue.key


def rename_project(site: JiraSite, project: Project, key: str, *, forgotten: bool = False) -> None:
    """Another key for the project, and so for its issues: no changelog and no event of any issue.
    Former keys go on resolving, unless they are *forgotten*, as once another project has them."""
    former = project.key
    project.key = key
    site.project_keys[key] = project.id
    for number in project.issues:
        issue = site.issues[number]
        del site.issue_keys[issue.key]
        site.moved_keys[issue.key] = number
        issue.key = f"{key}-{issue.key.rpartition('-')[2]}"
        site.moved_keys.pop(issue.key, None)
        site.issue_keys[issue.key] = number
    if forgotten:
        site.project_keys.pop(former, None)
        lost = [old for old in site.moved_keys if old.rpartition("-")[0] == former]
        for old in lost:
            del site.moved_keys[old]


def archive(site: JiraSite, actor: User, issue: Issue, archived: bool = True) -> None:
    """Read-only and out of search from now on (or back). Sends nothing: not documented."""
    issue.archived = archived
    issue.archived_by = actor.name if archived else None
    issue.archived_at = site.now()


def hide(issue: Issue, user: str, hidden: bool = True) -> None:
    """Issue security against one user. Changes no time and sends no event."""
    names = set(issue.hidden_from)
    (names.add if hidden else names.discard)(user)
    issue.hidden_from = frozenset(names)


def delete(site: JiraSite, actor: User, issue: Issue, *, request: str | None = None) -> None:
    """No tombstone. Its links go with it: no changelog at the other end, events come late."""
    events.issue(site, "jira:issue_deleted", "issue_deleted", actor, issue)
    for number in list(issue.links):
        link = site.links[number]
        links.remove(site, actor, link, request=request, cause="issue_deleted", trace=False)
    del site.issues[issue.id]
    del site.issue_keys[issue.key]
    site.projects[issue.project].issues.pop(issue.id, None)
    for key in [key for key, number in site.moved_keys.items() if number == issue.id]:
        del site.moved_keys[key]


def _next_key(project: Project) -> str:
    project.last_number += 1
    return f"{project.key}-{project.last_number}"


def _item(site: JiraSite, name: str, before: Any, after: Any) -> ChangeItem:
    texts = {"before_text": _text(before), "after_text": _text(after)}
    field = site.custom_fields.get(name)
    if field is not None:
        return ChangeItem(field.name, "custom", field.id, **texts)
    return ChangeItem(name, "jira", name, **texts)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _record(
    site: JiraSite, actor: User, issue: Issue, items: tuple[ChangeItem, ...], kind: str
) -> History:
    at = site.now()
    entry = History(site.next_id("history"), actor.name, at, items)
    issue.history.append(entry)
    links.touch(issue, at)
    events.issue(site, "jira:issue_updated", kind, actor, issue, change=entry)
    return entry
