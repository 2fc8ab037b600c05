"""Cursors that we did not give, on every list that there is: 400, whatever position they name."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.api.http.pages import Cursors
from app.store.config.vault import Vault
from tests.api.auth.test_confinement import removed
from tests.api.conftest import Api, Jira, connection_body, contract

LISTS = sorted(
    path
    for path, item in contract().document["paths"].items()
    if any(it["name"] == "cursor" for it in item.get("get", {}).get("parameters", []))
)
POSITIONS: tuple[Any, ...] = (
    0, 1, -1, 2**31, 2**63 - 1, 2**63, 10**30, 1.5, True, None, [], {},
    "", "a", "1", "1:1", "1:", ":", "1:2:3", "zz:yy", "left", "\x00", "\ud800", "ä", "9" * 300,
    "1:right:10000:10000:10001:create", "99999999999999999999:1",
)  # fmt: skip


def forged(path: str, position: Any) -> str:
    """As cursors were before they were signed: a digest that needs no secret."""
    text = json.dumps([path, {}], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return encoded([digest, position])


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def others(good: Cursors) -> Iterator[Cursors]:
    """Cursors of another list, other filters, another confinement, another installation."""
    yield replace(good, path=f"{V1}/elsewhere")
    yield replace(good, filters=[("site", "left")])
    yield replace(good, confined_to=(1,))
    yield replace(good, confined_to=())
    yield replace(good, signer=Vault(["the key of another installation 0000"]))


def mangled(cursor: str, number: int) -> Iterator[str]:
    pick = random.Random(4711)  # the same ones at each run
    found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for _ in range(number):
        at = pick.randrange(len(found[0]))
        other = pick.choice([it for it in "0123456789abcdef" if it != found[0][at]])
        yield encoded([found[0][:at] + other + found[0][at + 1 :], found[1]])
    yield encoded([found[0], found[1], found[1]])
    yield encoded([found[0]])
    yield encoded([None, found[1]])
    yield encoded(["\ud800", found[1]])
    yield encoded([found[0][:16], found[1]])


@pytest.fixture
async def places(client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool) -> dict[str, str]:
    """A subject for every path: `ab`, its shadow revision and a plan."""
    shadow = {"config": connection_body(direction="left_to_right"), "rollout": "shadow"}
    tried = await client.post(f"{V1}/connections/ab/revisions", json=shadow)
    assert tried.status_code == 201, tried.text
    await removed(db, 1)
    asked = {"connection": "ab", "operation": "remove"}
    plan = await client.post(f"{V1}/restores", json=asked)
    return {"{name}": "ab", "{number}": "2", "{id}": plan.json()["plan_id"]}


async def test_a_forged_cursor_is_refused_on_every_list(
    api: Api, client: httpx.AsyncClient, places: dict[str, str]
) -> None:
    assert len(LISTS) >= 17
    for template in LISTS:
        path = template
        for name, value in places.items():
            path = path.replace(name, value)
        wanted = {"issue": "A-1"} if path == f"{V1}/twins" else {}
        assert (await client.get(path, params=wanted)).status_code == 200, path
        good = Cursors(api.services.vault, path, [*wanted.items()])
        sent = [forged(path, it) for it in POSITIONS]
        sent += [it.encode(at) for it in others(good) for at in (7, "ab")]
        sent += [*mangled(good.encode(7), 20), *mangled(good.encode("ab"), 20)]
        for cursor in sent:
            answer = await client.get(path, params={**wanted, "cursor": cursor})
            assert answer.status_code == 400, f"{path} {cursor} {answer.text}"
            assert answer.json()["code"] == "cursor_mismatch"


async def test_a_cursor_of_all_is_none_of_a_confined_caller(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    """Nor does it go on after the confinement changed."""
    for _ in range(2):
        await api.token("viewer")
    first = (await client.get(f"{V1}/sites", params={"limit": 1})).json()["next"]
    confined = await api.token("viewer", connections=["ab"])
    asked = {"limit": 1, "cursor": first}
    assert (await confined.get(f"{V1}/sites", params=asked)).status_code == 400
    own = (await confined.get(f"{V1}/sites", params={"limit": 1})).json()["next"]
    rest = await confined.get(f"{V1}/sites", params={"cursor": own})
    assert [it["name"] for it in rest.json()["items"]] == ["right"]


def test_a_cursor_holds_through_a_rotation_of_the_key() -> None:
    former, newest = "the former key, 32 characters 000", "the newest key, 32 characters 000"
    before = Cursors(Vault([former]), "/list")
    after = Cursors(Vault([newest, former]), "/list")
    assert after.decode(before.encode("x")) == "x"
    assert after.encode("x") != before.encode("x")
