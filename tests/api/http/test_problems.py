"""Every refusal is a problem with a code; none repeats what was sent or what an error said."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.auth.roles import V1
from app.api.routing.route import BODY_LIMIT
from app.core.errors import TransientError
from tests.api.conftest import Api, Jira, connection_body

JSON = {"Content-Type": "application/json"}
SECRET = "hunter2-must-not-come-back"


def code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "errors", "request_id"}
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    return str(problem["code"])


async def test_unknown_addresses_and_methods(client: httpx.AsyncClient) -> None:
    assert code(await client.get("/nowhere"), 404) == "not_found"
    assert code(await client.get(f"{V1}/nowhere"), 404) == "not_found"
    answer = await client.patch(f"{V1}/sites/x")
    assert code(answer, 405) == "method_not_allowed"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PUT", "DELETE"}


async def test_bodies_that_are_not_json(client: httpx.AsyncClient) -> None:
    path = f"{V1}/tokens"
    for content in (b"{", b"", b'{"role": \xff}', b'{"role": "viewer",}'):
        answer = await client.post(path, content=content, headers=JSON)
        assert answer.status_code in {400, 422}
    assert code(await client.post(path, content=b"{", headers=JSON), 400) == "malformed_json"
    plain = await client.post(path, content=b"{}", headers={"Content-Type": "text/plain"})
    assert code(plain, 415) == "unsupported_media_type"
    assert code(await client.post(path, content=b"{}"), 415) == "unsupported_media_type"
    charset = {"Content-Type": "application/json; charset=utf-8"}
    body = b'{"role": "viewer", "owner": "x"}'
    assert (await client.post(path, content=body, headers=charset)).status_code == 201


async def test_bodies_that_are_json_of_another_kind(client: httpx.AsyncClient) -> None:
    for content in (b"[]", b'"text"', b"1", b"null", b"true"):
        answer = await client.post(f"{V1}/tokens", content=content, headers=JSON)
        assert code(answer, 422) == "validation"


async def test_a_body_beyond_the_limit(client: httpx.AsyncClient) -> None:
    large = b'{"role": "' + b"x" * BODY_LIMIT + b'"}'
    answer = await client.post(f"{V1}/tokens", content=large, headers=JSON)
    assert code(answer, 413) == "body_too_large"

    async def chunks() -> Any:
        for _ in range(3):
            yield b"x" * (BODY_LIMIT // 2)

    answer = await client.post(f"{V1}/tokens", content=chunks(), headers=JSON)
    assert code(answer, 413) == "body_too_large"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html, application/*;q=0.8", 200),
        ("application/problem+json", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
    ],
)
async def test_what_the_caller_accepts(client: httpx.AsyncClient, accept: str, status: int) -> None:
    answer = await client.get(f"{V1}/sites", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert code(answer, 406) == "not_acceptable"


async def test_pointers_name_the_field_and_not_the_union(client: httpx.AsyncClient) -> None:
    body = {
        "base_url": 5,
        "deployment": "cloud",
        "auth": {"kind": "basic", "token": 7, "x/y~z": 1},
        "webhook_secret": "s",
    }
    answer = await client.put(f"{V1}/sites/here", json=body)
    assert code(answer, 422) == "validation"
    pointers = {e["pointer"] for e in answer.json()["errors"]}
    assert pointers == {"/base_url", "/auth/token", "/auth/x~1y~0z"}


async def test_pointers_outside_the_body(client: httpx.AsyncClient, connected: Jira) -> None:
    for path, pointer in (
        ("connections?limit=0", "/query/limit"),
        ("connections?limit=1001", "/query/limit"),
        ("connections?limit=x", "/query/limit"),
        ("connections/ab/links?state=gone", "/query/state"),
        ("connections/ab/links?issue=%00", "/query/issue"),
        ("connections/ab/links?type=%00", "/query/type"),
        ("connections/ab/explain", "/query/issue"),
        ("intents?status=closed", "/query/status"),
        ("audit?since=yesterday", "/query/since"),
        ("audit?link_id=-1", "/query/link_id"),
        ("audit?cause=%00", "/query/cause"),
        ("plans?connection=A%00", "/query/connection"),
    ):
        answer = await client.get(f"{V1}/{path}")
        assert code(answer, 422) == "validation", path
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


async def test_names_that_cannot_be(client: httpx.AsyncClient) -> None:
    """Put is told why; everybody else finds nothing there."""
    for name in ("UPPER", "-x", "a" * 64, "a b", "%00", "%ED%A0%80", "ä"):
        answer = await client.put(f"{V1}/connections/{name}", json=connection_body())
        assert code(answer, 422) == "validation", name
        assert answer.json()["errors"][0]["pointer"] == "/path/name"
        assert code(await client.get(f"{V1}/connections/{name}"), 404) == "connection_unknown"
        assert code(await client.get(f"{V1}/sites/{name}"), 404) == "site_unknown"


async def test_ids_that_cannot_be(client: httpx.AsyncClient) -> None:
    for text in ("0", "x", "-1", "1.5", "9" * 19, "9" * 40, "%00", "٣"):
        for path in ("resyncs", "plans", "audit/verifications"):
            assert (await client.get(f"{V1}/{path}/{text}")).status_code == 404
        assert (await client.delete(f"{V1}/tokens/{text}")).status_code == 404
        assert (await client.post(f"{V1}/failures/{text}/retry")).status_code == 404


async def test_no_problem_repeats_a_secret(client: httpx.AsyncClient) -> None:
    body = {
        "base_url": f"https://user:{SECRET}@jira.example",
        "deployment": SECRET,
        "auth": {"kind": SECRET, "token": [SECRET]},
        "webhook_secret": {"x": SECRET},
        SECRET[:3]: SECRET,
    }
    answer = await client.put(f"{V1}/sites/here", json=body)
    assert code(answer, 422) == "validation"
    assert SECRET not in answer.text
    body = {
        "base_url": f"https://user:{SECRET}@jira.example",
        "deployment": "cloud",
        "auth": {"kind": "bearer", "token": SECRET},
        "webhook_secret": SECRET,
    }
    answer = await client.put(f"{V1}/sites/here", json=body)
    assert code(answer, 422) == "validation"
    assert SECRET not in answer.text


def _breaks(app: FastAPI, path: str, error: Exception) -> None:
    @app.get(path)
    async def breaks() -> None:
        raise error


async def test_what_nobody_expected_says_nothing(api: Api, client: httpx.AsyncClient) -> None:
    _breaks(api.app, "/breaks", RuntimeError(SECRET))
    answer = await client.get("/breaks", headers={"X-Request-Id": "mine-1"})
    assert code(answer, 500) == "internal"
    assert SECRET not in answer.text
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_database_away_is_a_503(api: Api, client: httpx.AsyncClient) -> None:
    error = TransientError("database_unavailable", SECRET, retry_after=7)
    _breaks(api.app, "/away", error)
    answer = await client.get("/away")
    assert code(answer, 503) == "database_unavailable"
    assert answer.headers["Retry-After"] == "7"
    assert SECRET not in answer.text
    await api.services.database.close()
    answer = await client.get(f"{V1}/connections")
    assert code(answer, 503) == "database_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1


async def test_request_ids_are_kept_or_made(client: httpx.AsyncClient) -> None:
    kept = await client.get("/healthz", headers={"X-Request-Id": "abc.DEF-1_2"})
    assert kept.headers["X-Request-Id"] == "abc.DEF-1_2"
    for odd in ("with space", "x" * 65, "<script>", ""):
        answer = await client.get("/healthz", headers={"X-Request-Id": odd})
        assert answer.headers["X-Request-Id"] != odd
        assert len(answer.headers["X-Request-Id"]) == 32


async def test_no_page_may_read_or_frame_an_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{V1}/sites", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_deep_json_is_refused_not_followed(client: httpx.AsyncClient) -> None:
    deep = b'{"role": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = await client.post(f"{V1}/tokens", content=deep, headers=JSON)
    assert answer.status_code in {400, 422}
    json.loads(answer.text)
