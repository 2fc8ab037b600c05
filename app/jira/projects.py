"""The projects that Jira shows our account, and what the account may do in one."""

from dataclasses import dataclass
from urllib.parse import quote

from app.core.errors import PermanentError, TransientError
from app.core.links import ProjectId, ProjectKey
from app.jira.http.errors import facts, unexpected
from app.jira.http.request import Call
from app.jira.http.response import Answer
from app.jira.http.transport import Transport
from app.jira.payloads import PROJECT_KEY

BROWSE, LINK = "BROWSE_PROJECTS", "LINK_ISSUES"
PAGE = 100
"""Projects of one answer: less means that it is the last."""


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """`key` as Jira names the project now, another one after a rename; None: it shows us no
    such project, which is a typo, a hidden or a deleted one, and Jira does not say which."""

    asked: ProjectKey | ProjectId
    key: ProjectKey | None
    id: ProjectId | None = None
    archived: bool = False
    browse: bool = False
    link: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """By key alone: its name is content, which nothing of ours carries."""

    key: str


async def visible_projects(transport: Transport, api: str, *, paged: bool) -> list[Project]:
    """All of them, by key. Cloud answers page by page; Data Center all at once."""
    found: list[Project] = []
    while True:
        params = {"startAt": str(len(found)), "maxResults": str(PAGE)} if paged else {}
        path = f"{api}/project/search" if paged else f"{api}/project"
        call = Call("projects", "GET", path, params=params)
        answer = await transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        page = answer.json_object().get("values") if paged else answer.json()
        if not isinstance(page, list):
            raise TransientError("bad_answer", "no list of projects", facts(call, answer))
        found += [_project(it, call, answer) for it in page]
        if not paged or len(page) < PAGE:
            return sorted(found, key=lambda it: it.key)


async def project_access(
    transport: Transport, api: str, key: ProjectKey | ProjectId
) -> ProjectAccess:
    """Two calls: the project by its key or id, and our permissions in it."""
    if not (PROJECT_KEY.fullmatch(key) or key.isdecimal()):
        return ProjectAccess(key, None)
    shown = await _asked(transport, Call("project", "GET", f"{api}/project/{quote(key, safe='')}"))
    if shown is None:
        return ProjectAccess(key, None)
    project = shown.json_object()
    found, number = ProjectKey(str(project.get("key", key))), project.get("id")
    params = {"projectKey": found, "permissions": f"{BROWSE},{LINK}"}
    granted = await _asked(
        transport, Call("my_permissions", "GET", f"{api}/mypermissions", params=params)
    )
    permissions = granted.json_object().get("permissions") if granted is not None else None
    return ProjectAccess(
        key,
        found,
        ProjectId(str(number)) if str(number).isdecimal() else None,
        archived=project.get("archived") is True,
        browse=_has(permissions, BROWSE),
        link=_has(permissions, LINK),
    )


def _project(shown: object, call: Call, answer: Answer) -> Project:
    if not isinstance(shown, dict) or not isinstance(shown.get("key"), str):
        raise TransientError("bad_answer", "a project without a key", facts(call, answer))
    return Project(shown["key"])


async def _asked(transport: Transport, call: Call) -> Answer | None:
    """None where Jira does not show it to us."""
    try:
        answer = await transport.call(call)
    except PermanentError as error:
        if error.code == "forbidden":
            return None
        raise
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise unexpected(answer, call)
    return answer


def _has(permissions: object, name: str) -> bool:
    one = permissions.get(name) if isinstance(permissions, dict) else None
    return isinstance(one, dict) and one.get("havePermission") is True
