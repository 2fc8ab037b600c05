"""Adoptions over REST: ask, look at the plan, approve, follow."""

from typing import Any

import pytest

from app.api.auth.roles import V1
from app.sandbox.people import person_on
from app.sync.recovery import adopt
from tests.api.conftest import Api
from tests.api.flow import AB, Flow

EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00+00:00"}


@pytest.fixture
async def former(flow: Flow) -> Flow:
    """Another product mirrored A-1 blocks A-2; people linked both sides of A-3 and A-4."""
    left, right = flow.jira.left.site, flow.jira.right.site
    right.add_user("othersync")
    right.user("othersync").key = "othersync"
    person_on(left, "ann").link("A-1", "Blocks", "A-2")
    person_on(right, "othersync").link("B-1", "Blocks", "B-2")
    person_on(left, "ann").link("A-3", "Blocks", "A-4")
    person_on(right, "ann").link("B-3", "Blocks", "B-4")
    await flow.compare()
    return flow


async def ask(flow: Flow, account: str = "othersync") -> dict[str, Any]:
    answer = await flow.client.post(f"{AB}/adoptions", json={"account_id": account, **EVER})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert made["status"] == "planning"
    shown = await flow.call("GET", answer.headers["Location"])
    assert (shown["plan_id"], shown["status"], shown["pairs"]) == (made["plan_id"], "planning", 0)
    await adopt.run_once(flow.ctx)
    planned: dict[str, Any] = await flow.call("GET", answer.headers["Location"])
    return planned


def figures(shown: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(shown[name] for name in ("status", "pairs", "adoptable", "adopted", "skipped"))


async def test_from_the_request_to_managed_links(former: Flow) -> None:
    """By two owners, whatever the connection asks for."""
    shown = await ask(former)
    assert figures(shown) == ("held", 2, 1, 0, 1)
    plan = await former.call("GET", f"{V1}/plans/{shown['plan_id']}")
    assert (plan["kind"], plan["status"]) == ("adoption", "held")
    assert plan["counts"] == {"create": 0, "remove": 0, "adopt": 2, "release": 0}
    results = {it["source"]["key"]: (it["operation"], it["result"]) for it in plan["changes"]}
    assert results == {"B-1": ("adopt", None), "B-3": ("adopt", "skipped:not_written")}

    path = f"{V1}/plans/{plan['id']}/approval"
    owner = await former.api.token("approver", owner="Ann")
    for _ in range(2):
        first = await owner.post(path, json={"digest": plan["digest"]})
        await adopt.run_once(former.ctx)
        shown = await former.call("GET", f"{AB}/adoptions/{shown['id']}")
        assert figures(shown) == ("held", 2, 1, 0, 1)
    assert first.json()["code"] == "second_owner"
    await former.call("POST", path, {"digest": plan["digest"]})
    await adopt.run_once(former.ctx)
    done = await former.call("GET", f"{AB}/adoptions/{shown['id']}")
    assert figures(done) == ("succeeded", 2, 1, 1, 1)
    links = (await former.call("GET", f"{AB}/links?state=managed"))["items"]
    assert [(it["origin"], it["left"]["source"]["key"]) for it in links] == [("left", "A-1")]
    audit = (await former.call("GET", f"{V1}/audit?operation=adopt"))["items"]
    assert [(it["status"], it["plan_id"]) for it in audit] == [("applied", plan["id"])]


async def test_as_text_a_plan_says_what_it_adopts(former: Flow) -> None:
    shown = await ask(former)
    answer = await former.client.get(f"{V1}/plans/{shown['plan_id']}?format=text")
    assert "0 to create, 0 to remove, 2 to adopt" in answer.text
    assert "= right: B-1 Blocks B-2" in answer.text


async def test_an_unknown_account_adopts_nothing(former: Flow) -> None:
    assert figures(await ask(former, "nobody")) == ("succeeded", 2, 0, 0, 2)


async def test_the_list_begins_with_the_newest(former: Flow) -> None:
    made = [(await ask(former))["id"], (await ask(former))["id"]]
    listed = await former.call("GET", f"{AB}/adoptions")
    assert [it["id"] for it in listed["items"]] == made[::-1]
    first = await former.call("GET", f"{AB}/adoptions?limit=1")
    second = await former.call("GET", f"{AB}/adoptions?limit=1&cursor={first['next']}")
    assert [it["id"] for it in first["items"] + second["items"]] == made[::-1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"account_id": "x", "since": EVER["until"], "until": EVER["since"]}, "/until"),
        ({"account_id": "x", "since": EVER["since"], "until": EVER["since"]}, "/until"),
        ({"account_id": "", **EVER}, "/account_id"),
        ({"account_id": "x\u0000", **EVER}, "/account_id"),
        ({"account_id": "x", **EVER, "until": "2030-01-01T00:00:00"}, "/until"),
        ({"account_id": "x", "since": EVER["since"]}, "/until"),
        ({**EVER}, "/account_id"),
        ({"account_id": "x", **EVER, "side": "left"}, "/side"),
    ],
)
async def test_bad_requests(flow: Flow, body: dict[str, Any], pointer: str) -> None:
    answer = await flow.client.post(f"{AB}/adoptions", json=body)
    assert answer.status_code == 422
    assert [it["pointer"] for it in answer.json()["errors"]] == [pointer]


async def test_what_is_not_there(flow: Flow) -> None:
    body = {"account_id": "x", **EVER}
    for method, path, sent in (
        ("POST", f"{V1}/connections/none/adoptions", body),
        ("GET", f"{V1}/connections/none/adoptions", None),
        ("GET", f"{AB}/adoptions/7", None),
        ("GET", f"{AB}/adoptions/x", None),
    ):
        assert (await flow.client.request(method, path, json=sent)).status_code == 404


async def test_only_an_approver_may_ask(api: Api, flow: Flow) -> None:
    body = {"account_id": "x", **EVER}
    operator, approver = await api.token("operator"), await api.token("approver")
    assert (await operator.post(f"{AB}/adoptions", json=body)).status_code == 403
    assert (await approver.post(f"{AB}/adoptions", json=body)).status_code == 202


async def test_the_account_is_not_kept(former: Flow) -> None:
    shown = await ask(former)
    assert "othersync" not in str(shown)
    async with former.db.acquire() as conn:
        rows = await conn.fetch("SELECT * FROM adoptions")
    assert "othersync" not in str([dict(row) for row in rows])


async def test_a_persons_account_has_to_be_named_twice(former: Flow) -> None:
    """It wrote one side of a pair, and a link that no one mirrored."""
    right = former.jira.right.site
    person_on(right, "othersync").link("B-3", "Blocks", "B-1")
    await former.compare()
    shown = await ask(former)
    assert (shown["status"], shown["paired"], shown["unpaired"]) == ("refused", 1, 1)
    body = {"account_id": "othersync", **EVER}
    refused = await former.client.post(f"{AB}/adoptions", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "account_unconfirmed")
    assert "wrote 1 links" in refused.json()["detail"]
    wrong = await former.client.post(
        f"{AB}/adoptions", json=body | {"confirm_account": "othersynk"}
    )
    assert [it["pointer"] for it in wrong.json()["errors"]] == ["/confirm_account"]
    made = await former.client.post(f"{AB}/adoptions", json=body | {"confirm_account": "othersync"})
    assert made.status_code == 202
    await adopt.run_once(former.ctx)
    shown = await former.call("GET", made.headers["Location"])
    assert (shown["status"], shown["adoptable"], shown["unpaired"]) == ("held", 1, 1)
