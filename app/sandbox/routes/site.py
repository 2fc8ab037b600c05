"""The site itself: who am I, which Jira is this, projects, fields, permissions."""

from __future__ import annotations

from app.sandbox.fields import FIELD
from app.sandbox.model import PROJECT_PERMISSIONS, Project, Refusal
from app.sandbox.render import Json
from app.sandbox.times import stamp
from app.sandbox.wire import Call, Reply, ok

GLOBAL_PERMISSIONS = ("ADMINISTER", "SYSTEM_ADMIN", "BULK_CHANGE")


def myself(call: Call) -> Reply:
    user = call.signed_in()
    made = call.view().person(user.name) or {}
    made["locale"] = "en_US"
    made["groups"] = {"size": 1, "items": []}
    made["applicationRoles"] = {"size": 1, "items": []}
    made["expand"] = "groups,applicationRoles"
    return ok(made)


def server_info(call: Call) -> Reply:
    """Open to anonymous callers. `baseUrl` is the site's own, also through the gateway."""
    site = call.site
    cloud = site.flavour == "cloud"
    made: Json = {
        "baseUrl": site.base_url,
        "version": "1001.0.0-SNAPSHOT" if cloud else "9.12.15",
        "versionNumbers": [1001, 0, 0] if cloud else [9, 12, 15],
        "deploymentType": "Cloud" if cloud else "Server",
        "buildNumber": 100287 if cloud else 9120015,
        "buildDate": "2025-10-01T00:00:00.000+0000",
        "serverTime": stamp(site.now(), "Etc/UTC"),
        "scmInfo": "57a0ca5b",
        "serverTitle": f"Jira {site.name}",
    }
    return ok(made)


def projects(call: Call) -> Reply:
    view = call.view()
    return ok([view.project(made) for made in _visible(call)])


def project_search(call: Call) -> Reply:
    """Paged; `keys`, `query` and `status` (live, archived) narrow it."""
    start, most = call.number("startAt", 0), min(call.number("maxResults", 50), 100)
    keys, words = call.names("keys"), call.text("query").casefold()
    status = call.names("status") or ["live"]
    found = [
        made
        for made in _visible(call, archived="archived" in status)
        if (not keys or made.key in keys)
        and (not words or words in made.name.casefold() or words in made.key.casefold())
        and ("live" in status or made.archived)
    ]
    page = found[start : start + most]
    view = call.view()
    made: Json = {
        "self": f"{view.rest}/project/search?maxResults={most}&startAt={start}",
        "maxResults": most,
        "startAt": start,
        "total": len(found),
        "isLast": start + len(page) >= len(found),
        "values": [view.project(one) for one in page],
    }
    if not made["isLast"]:
        made["nextPage"] = f"{view.rest}/project/search?maxResults={most}&startAt={start + most}"
    return ok(made)


def project(call: Call) -> Reply:
    found = call.site.project(call.args[0])
    if found is None or not _browsable(call, found):
        raise Refusal(404, f"No project could be found with key '{call.args[0]}'.")
    return ok(call.view().project(found))


def fields(call: Call) -> Reply:
    """System fields and custom ones; clients read only id, key, name and schema."""
    shown: list[Json] = [
        {
            "id": name,
            "key": name,
            "name": name.capitalize(),
            "custom": False,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [name],
            "schema": {"type": "string", "system": name},
        }
        for name in FIELD
    ]
    shown += [
        {
            "id": made.id,
            "key": made.id,
            "name": made.name,
            "custom": True,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [f"cf[{made.number}]", made.name],
            "schema": {"type": "string", "custom": made.kind, "customId": made.number},
        }
        for made in call.site.custom_fields.values()
    ]
    if call.site.flavour == "datacenter":
        for one in shown:
            del one["key"]
    return ok(shown)


def my_permissions(call: Call) -> Reply:
    """For the site, one project or one issue. Cloud wants `permissions` to be named."""
    wanted = call.names("permissions")
    known = (*PROJECT_PERMISSIONS, *GLOBAL_PERMISSIONS)
    if not wanted and call.site.flavour == "cloud":
        raise Refusal(400, "The 'permissions' query parameter is required.")
    if any(name not in known for name in wanted):
        raise Refusal(400, f"Unrecognized permission: {wanted}")
    scope = _scope(call)
    granted: dict[str, Json] = {}
    for number, name in enumerate(known):
        if wanted and name not in wanted:
            continue
        project_wide = name in PROJECT_PERMISSIONS
        have = (
            any(call.site.can(call.user, permission, made) for made in scope)
            for permission in PROJECT_PERMISSIONS
            if permission == name
        )
        admin = call.user is not None and call.user.admin
        granted[name] = {
            "id": str(number),
            "key": name,
            "name": name.replace("_", " ").capitalize(),
            "type": "PROJECT" if project_wide else "GLOBAL",
            "description": "",
            "havePermission": next(have, admin),
        }
    return ok({"permissions": granted})


def _scope(call: Call) -> list[Project]:
    ref = call.text("issueKey") or call.text("issueId")
    if ref:
        return [call.site.projects[call.site.seen(call.user, ref).project]]
    name = call.text("projectKey") or call.text("projectId")
    if not name:
        return list(call.site.projects.values())
    found = call.site.project(name)
    if found is None or not _browsable(call, found):
        raise Refusal(404, f"No project could be found with key '{name}'.")
    return [found]


def _browsable(call: Call, made: Project) -> bool:
    return call.site.can(call.user, "BROWSE_PROJECTS", made)


def _visible(call: Call, *, archived: bool = False) -> list[Project]:
    found = [made for made in call.site.projects.values() if _browsable(call, made)]
    return [made for made in found if archived or not made.archived]
