"""The role matrix, walked over the OpenAPI document: every route, every role, and nobody."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.auth_throttle import Attempts
from app.api.auth.roles import RULES, V1, Role, rule_for
from tests.api.conftest import Api, Jira

# Written out a second time on purpose: a slip in the table must not pass unseen.
ADMIN_ONLY = {
    ("POST", "/sites/{site}/rehomings"),
    ("GET", "/sites/{site}/rehomings"),
    ("GET", "/sites/{site}/webhook"),
    ("POST", "/sites/{site}/webhook"),
    ("POST", "/site_addresses"),
    ("PUT", "/sites/{site}"),
    ("DELETE", "/sites/{site}"),
    ("POST", "/sites/{site}/check"),
    ("GET", "/sites/{site}/projects"),
    ("PUT", "/connections/{name}"),
    ("POST", "/connections/{name}/difference"),
    ("DELETE", "/connections/{name}"),
    ("POST", "/connections/{name}/revisions"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("DELETE", "/tokens/{id}"),
}
APPROVER = {
    ("POST", "/engines/{engine}/accept"),
    ("PUT", "/connections/{name}/mode"),
    ("POST", "/connections/{name}/guard/reset"),
    ("POST", "/plans/{id}/approval"),
    ("DELETE", "/plans/{id}/approval"),
    ("POST", "/plans/{id}/rejection"),
    ("POST", "/restores"),
    ("POST", "/rescues"),
    ("POST", "/connections/{name}/rollback"),
    ("POST", "/connections/{name}/adoptions"),
    ("PUT", "/incidents/{id}/publication"),
    ("DELETE", "/incidents/{id}/publication"),
}


def url(path: str) -> str:
    for name in ("site", "name", "id", "number", "engine"):
        path = path.replace(f"{{{name}}}", "1")
    return path


def calls(api: Api) -> list[tuple[str, str, dict[str, Any]]]:
    document = api.contract.document
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith(V1) and method in {"get", "put", "post", "delete"}
    ]


async def test_nobody_gets_anything(api: Api) -> None:
    client = api.client(None)
    for method, path, _ in calls(api):
        answer = await client.request(method, url(path))
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "unauthenticated"


OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/webhooks/jira/{site}"),
}


def test_what_needs_no_token_is_named(api: Api) -> None:
    """Probes and metrics say nothing of issues; a delivery is known by its signature."""
    document = api.contract.document
    found = {(m.upper(), p) for p, item in document["paths"].items() for m in item}
    assert {it for it in found if not it[1].startswith(V1)} == OPEN
    assert {(m, p.removeprefix(V1)) for m, p in found if p.startswith(V1)} == set(RULES)


async def test_an_expired_or_revoked_token_gets_nothing(api: Api, db: asyncpg.Pool) -> None:
    api.app.state.attempts = Patient()
    for change in ("expires_at = now() - interval '1 second'", "revoked_at = now()"):
        client = await api.token("admin")
        assert (await client.get(f"{V1}/sites")).status_code == 200
        await db.execute(f"UPDATE tokens SET {change}")  # noqa: S608
        for method, path, _ in calls(api):
            answer = await client.request(method, url(path))
            assert answer.status_code == 401, f"{method} {path}"


class Patient(Attempts):
    """Counts nothing: what is asked here is who may, not how often."""

    def failed(self, source: str) -> None:
        return None


@pytest.mark.parametrize("role", list(Role))
async def test_a_confined_token_stays_inside(api: Api, connected: Jira, role: Role) -> None:
    """Its own connection was deleted. What acts on everything is not for it, and what belongs to
    another connection or to its sites is not there either."""
    client = await api.stranger(role.value)
    assert (await api.client().delete(f"{V1}/connections/other")).status_code == 200
    for method, path, _ in calls(api):
        rule = rule_for(method, path)
        place = path.replace("{name}", "ab").replace("{site}", "left")
        answer = await client.request(method, url(place), json={})
        where = f"{role} {method} {path} {answer.status_code}"
        if not role.includes(rule.role) or rule.everywhere:
            assert answer.status_code == 403, where
        elif path == f"{V1}/me":
            assert answer.json()["connections"] == [], where
        elif method == "GET" and "{" not in path:
            assert answer.status_code in {200, 422}, where
            if answer.status_code == 200 and "json" in answer.headers["content-type"]:
                assert answer.text in {'{"items":[],"next":null}', ""}, where
        else:
            assert answer.status_code in {404, 422}, where


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_the_table_says(api: Api, role: Role) -> None:
    """Without bodies and with unknown names: whatever a role may call answers something else
    than 403, and changes nothing."""
    client = await api.token(role.value)
    for method, path, _ in calls(api):
        if path.endswith(("/pause", "/resume", "/audit/verifications")) and "{" not in path:
            continue  # these would act; see below
        answer = await client.request(method, url(path))
        allowed = role.includes(rule_for(method, path).role)
        assert (answer.status_code != 403) == allowed, f"{role} {method} {path}"
        assert answer.status_code != 401, f"{role} {method} {path}"
        if not allowed:
            assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("path", ["/pause", "/resume", "/audit/verifications"])
async def test_calls_without_a_target(api: Api, path: str) -> None:
    viewer, operator = await api.token("viewer"), await api.token("operator")
    assert (await viewer.post(V1 + path)).status_code == 403
    assert (await operator.post(V1 + path)).status_code in {200, 202}


def test_the_table_itself() -> None:
    for (method, path), rule in RULES.items():
        if (method, path) in ADMIN_ONLY:
            expected = Role.ADMIN
        elif (method, path) in APPROVER:
            expected = Role.APPROVER
        else:
            expected = Role.VIEWER if method == "GET" else Role.OPERATOR
        assert rule.role is expected, f"{method} {path}"


def test_roles_include_each_other() -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.ADMIN]
    for at, role in enumerate(order):
        assert [role.includes(other) for other in order] == [n <= at for n in range(4)]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer twl_unknown",
        "Bearer \u00e4\u00f6".encode().decode("latin-1"),
        "Bearer " + "x" * 600,
    ],
)
async def test_bad_tokens_are_401(api: Api, header: str) -> None:
    client = api.client(None)
    headers = httpx.Headers([(b"authorization", header.encode("latin-1"))])
    answer = await client.get(f"{V1}/sites", headers=headers)
    assert answer.status_code == 401


async def test_who_may_not_learns_nothing_about_the_body(api: Api) -> None:
    """Authentication comes before the body is read."""
    answer = await api.client(None).put(f"{V1}/sites/x", content=b"{", headers=JSON)
    assert answer.status_code == 401
    viewer = await api.token("viewer")
    answer = await viewer.put(f"{V1}/sites/x", content=b"{", headers=JSON)
    assert answer.status_code == 403


JSON = {"Content-Type": "application/json"}
