"""Two tenants on one service. A token that is confined to one sends valid requests to every
route, with things of the other tenant in each place of the path, the query and the body. What it
gets is what it would get if those things did not exist, and nothing of the other one changes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import asyncpg
import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from app.api.auth.roles import V1, Role
from app.sandbox import serve
from tests.api.auth.test_confinement import opened
from tests.api.auth.test_roles import calls
from tests.api.conftest import Api, connection_body, contract, made_site
from tests.api.flow import AB, Flow

OWN = "other"
WINDOW = {"since": "2026-01-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}
EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
SITE = {
    "base_url": "https://jira.example.com",
    "deployment": "datacenter",
    "auth": {"kind": "bearer", "token": "a token of the tests"},
    "webhook_secret": "a secret of the tests",
}


@dataclass(frozen=True)
class Things:
    """What requests name. By default: nothing that there is."""

    connection: str = "nowhere"
    site: str = "nosite"
    project: str = "ZZ"
    left: str = "ZZ-1"
    right: str = "ZY-1"
    account: str = "somebody"
    link: str = "900001"
    twin: str = "900002"
    resync: str = "900003"
    plan: str = "900004"
    digest: str = "0" * 64
    restore: str = "900005"
    rescue: str = "900006"
    adoption: str = "900007"
    incident: str = "900008"
    verification: str = "900009"
    token: str = "900010"
    cursor: str = "bm9uZQ"


def bodies(it: Things) -> Mapping[tuple[str, str], list[dict[str, Any]]]:
    """Valid ones of every route that takes one."""
    reach = connection_body(
        left={"site": it.site, "projects": ["AX"]},
        right={"site": "right", "projects": [it.project]},
    )
    decision = {"digest": it.digest, "note": "why"}
    return {
        ("PUT", "/sites/{site}"): [SITE],
        ("POST", "/sites/{site}/rehomings"): [{"to": it.site}],
        ("POST", "/sites/{site}/webhook"): [{"url": "https://twinlink.example.org"}],
        ("POST", "/site_addresses"): [{"address": "https://jira.example.org"}],
        ("PUT", "/connections/{name}"): [reach],
        ("POST", "/connections/{name}/difference"): [reach],
        ("POST", "/connections/{name}/revisions"): [
            {"config": reach, "rollout": "full"},
            {"config": reach, "rollout": "shadow"},
        ],
        ("POST", "/connections/{name}/rollback"): [{"revision": 1}],
        ("PUT", "/connections/{name}/mode"): [{"mode": "shadow"}],
        ("POST", "/connections/{name}/twins"): [
            {"twins": [{"left": it.left, "right": it.right}]},
            {"twins": [{"left": it.left, "right": "BX-1"}]},
            {"twins": [{"left": "AX-1", "right": it.right}]},
        ],
        ("POST", "/connections/{name}/resyncs"): [
            {"issues": [it.left, it.right], "dry_run": True},
            {"issues": [it.left]},
        ],
        ("POST", "/connections/{name}/adoptions"): [{"account_id": it.account, **EVER}],
        ("POST", "/plans/{id}/approval"): [decision],
        ("POST", "/plans/{id}/rejection"): [decision],
        ("POST", "/restores"): [
            {"operation": operation, **chosen}
            for operation in ("remove", "create")
            for chosen in (
                {"connection": it.connection},
                {"connection": it.connection, "revision": 1},
                {"site": it.site},
                {"plan": it.plan},
                {"issues": [it.left]},
                {"link_ids": [it.link]},
                {"cause": f"plan:{it.plan}"},
                {"connection": OWN, "issues": [it.left], "link_ids": [it.link]},
            )
        ],
        ("POST", "/failures/{id}/dismissal"): [{"reason": "mine"}],
        ("POST", "/rescues"): [{"site": it.site, "account_id": it.account, **WINDOW}],
        ("POST", "/incidents/{id}/updates"): [{"text": "mine", "state": "resolved"}],
        ("PUT", "/incidents/{id}/publication"): [{"impact": "minor", "text": "mine"}],
        ("POST", "/engines/{engine}/accept"): [{"digest": it.digest}],
        ("POST", "/tokens"): [{"role": "admin", "owner": "eva", "connections": [it.connection]}],
    }


def queries(it: Things) -> Mapping[str, str]:
    """What each parameter of a query is given; those that name nothing have no line."""
    return {
        "connection": it.connection,
        "site": it.site,
        "issue": it.left,
        "link_id": it.link,
        "plan": it.plan,
        "cause": f"plan:{it.plan}",
        "cursor": it.cursor,
    }


NAMES_NOTHING = frozenset({
    "limit", "status", "state", "since", "until", "bucket", "format", "kind", "operation",
    "revision", "type", "if-match", "Idempotency-Key", "dismissed", "note", "order",
    "undone", "url",
})  # fmt: skip

IDS = {
    "/connections/{name}/twins": "twin",
    "/connections/{name}/adoptions": "adoption",
    "/resyncs": "resync",
    "/plans": "plan",
    "/restores": "restore",
    "/rescues": "rescue",
    "/audit/verifications": "verification",
    "/failures": "twin",
    "/incidents": "incident",
    "/tokens": "token",
}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


def requests(api: Api, it: Things, name: str) -> Iterator[Asked]:
    """To every route, under the connection *name* where it is one of a connection's."""
    for method, full, operation in calls(api):
        template = full.removeprefix(V1)
        kind = IDS.get(template.partition("/{id}")[0])
        path = full.replace("{name}", name).replace("{site}", it.site).replace("{number}", "77")
        path = path.replace("{engine}", "0.1.0")
        path = path.replace("{id}", getattr(it, kind) if kind else "")
        known = queries(it)
        asked = {
            each["name"]: known[each["name"]]
            for each in operation.get("parameters", [])
            if each["in"] == "query" and each["name"] in known
        }
        for body in bodies(it).get((method, template), [None]):
            yield Asked(method, path, (), body)
        for parameter in asked.items():
            yield Asked(method, path, (parameter,))


def differing(api: Api, foreign: Things) -> list[tuple[Asked, Asked]]:
    """Each request that names something of the other tenant, with the one that names nothing."""
    pairs = []
    for foreign_name, missing_name in ((foreign.connection, Things.connection), (OWN, OWN)):
        one = requests(api, foreign, foreign_name)
        other = requests(api, Things(), missing_name)
        pairs += [both for both in zip(one, other, strict=True) if both[0] != both[1]]
    return pairs


async def send(client: httpx.AsyncClient, it: Asked) -> httpx.Response:
    return await client.request(it.method, it.path, params=list(it.query), json=it.body)


def told(answer: httpx.Response, named: Things) -> str:
    """What an answer says, apart from what the request named and from what each answer has for
    itself."""
    text = answer.text
    values = sorted((getattr(named, it.name) for it in fields(named)), key=len, reverse=True)
    for value in values:
        text = re.sub(rf"(?<![\w/-]){re.escape(value)}(?![\w-])", "<named>", text)
    text = re.sub(r'"(id|plan_id|request_id|instance)":"[^"]*"', r'"\1":"…"', text)
    return f"{answer.status_code} {text}"


@pytest.fixture
async def theirs(api: Api, flow: Flow, db: asyncpg.Pool) -> Things:
    """The tenant `ab` and a site of its own, with one thing of every kind."""
    await flow.mode("live")
    flow.ann.link("A-1", "Blocks", "A-2")
    await flow.compare()
    client = flow.client
    ann = flow.jira.left.site.user("ann").account_id
    adoption = await flow.call("POST", f"{AB}/adoptions", {"account_id": ann, **EVER})
    resync = await flow.call("POST", f"{AB}/resyncs", {})
    asked = {"connection": "ab", "operation": "create"}
    restore = await flow.call("POST", f"{V1}/restores", asked)
    asked = {"site": "left", "account_id": ann, **WINDOW}
    rescue = await flow.call("POST", f"{V1}/rescues", asked)
    verification = await flow.call("POST", f"{V1}/audit/verifications")
    twin = (await flow.call("GET", f"{AB}/twins"))["items"][0]["id"]
    await db.execute("UPDATE work SET failed_at = now() WHERE twin_id = $1", int(twin))
    body = {"role": "viewer", "owner": "theirs", "connections": ["ab"]}
    token = await flow.call("POST", f"{V1}/tokens", body)
    cursor = (await client.get(f"{V1}/sites", params={"limit": 1})).json()["next"]
    await api.other()
    [mirror] = flow.mirrors
    return Things(
        connection="ab",
        site="third",
        project="B",
        left="A-1",
        right="B-1",
        account=ann,
        link=str(mirror.id),
        twin=twin,
        resync=resync["id"],
        plan=restore["plan_id"],
        restore=restore["id"],
        rescue=rescue["id"],
        adoption=adoption["id"],
        incident=await opened(api, connection_id=1),
        verification=verification["id"],
        token=token["id"],
        cursor=cursor,
    )


async def state(db: asyncpg.Pool) -> dict[str, str]:
    """Every row of the tenant `ab`, and every site and token, as they are."""
    tables = await db.fetch(
        """SELECT table_name AS name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_name = 'connection_id' ORDER BY 1"""
    )
    wanted = {row["name"]: "connection_id = 1" for row in tables}
    wanted |= {"connections": "id = 1", "sites": "true"}
    return {
        name: str(await db.fetchval(f"SELECT array_agg(t::text ORDER BY t::text) FROM {name} t WHERE {which}"))  # noqa: S608, E501
        for name, which in wanted.items()
    }  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
async def test_what_is_anothers_does_not_exist(
    api: Api, flow: Flow, theirs: Things, db: asyncpg.Pool, role: Role
) -> None:
    async with serve(made_site("third", "datacenter", "C")) as (third,):
        put = await flow.client.put(f"{V1}/sites/third", json=flow.jira.body(third))
        assert put.status_code == 201, put.text
        holder = await api.token(role.value, connections=[OWN])
        before, faults = await state(db), []
        pairs = differing(api, theirs)
        assert len(pairs) > 100
        for foreign, missing in pairs:
            got = told(await send(holder, foreign), theirs)
            expected = told(await send(holder, missing), Things())
            if got != expected:
                faults.append(f"{foreign}\n  {got}\n  {expected}")
        assert not faults, "\n".join(faults)
        assert await state(db) == before


async def test_who_is_not_confined_sees_those_things(api: Api, flow: Flow, theirs: Things) -> None:
    """The walk would prove nothing with things that are not there."""
    seen = 0
    for it in requests(api, replace(theirs, site="left"), "ab"):
        # Some ask for nothing without a parameter.
        whole = not it.path.endswith(("/events", "/explain", f"{V1}/twins"))
        if it.method == "GET" and not it.query and whole:
            answer = await send(flow.client, it)
            assert answer.status_code == 200 or it.path.endswith("/77"), f"{it} {answer.text}"
            seen += 1
    assert seen > 25


def test_every_body_has_a_valid_example() -> None:
    document = contract().document
    expected = {
        (method.upper(), path.removeprefix(V1)): operation["requestBody"]["content"]
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith(V1) and "requestBody" in operation
    }
    there = bodies(Things())
    assert set(there) == set(expected)
    for route, examples in there.items():
        schema = {**expected[route]["application/json"]["schema"]}
        schema["components"] = document["components"]
        for body in examples:
            jsonschema.Draft202012Validator(schema).validate(body)


def test_every_parameter_is_walked_or_names_nothing() -> None:
    document = contract().document
    found = {
        it["name"]
        for path, item in document["paths"].items()
        for operation in item.values()
        for it in operation.get("parameters", [])
        if path.startswith(V1)
    }
    assert found == set(queries(Things())) | NAMES_NOTHING | {
        "name", "site", "id", "number", "engine",
    }  # fmt: skip
    for path in document["paths"]:
        if "{id}" in path:
            assert path.removeprefix(V1).partition("/{id}")[0] in IDS
