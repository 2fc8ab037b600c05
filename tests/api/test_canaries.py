"""Promise 5, end to end: whatever people wrote and whoever they are, none of it is kept or said,
neither when all goes well nor when everything fails."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import stamina

from app.api.auth.roles import V1
from app.sandbox import DeliveryFault, Fault, listen, serve
from app.sandbox.outbox import signature
from app.sandbox.people import person_on
from app.store.pool import Database
from app.sync.discovery import discover
from app.sync.incidents import watch
from app.sync.monitor import verify as monitor_verify
from app.sync.reconcile import loop
from app.sync.recovery import adopt
from app.sync.resync import poll
from app.sync.upkeep import audit_chain
from tests.api import canaries
from tests.api.canaries import WORD, Evidence, canary, dumped, found_in, listening, owner_of
from tests.api.conftest import Api, Jira, connection_body
from tests.api.flow import AB, Flow

EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00+00:00"}
SECRETS = {"left": "webhook secret of left", "right": "webhook secret of right"}


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    with listening() as made:
        yield made


@pytest.fixture
async def told(
    evidence: Evidence, api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> AsyncIterator[Flow]:
    """The connection `ab`, live, its twins named by a field of the left side; webhooks flow."""
    client.event_hooks["response"].append(evidence.hear)
    (left, twin), (right, _) = (
        canaries.world("left", "cloud", "A"),
        canaries.world("right", "datacenter", "B"),
    )
    async with serve(left, right) as (one, other):
        flow = Flow(api, client, Jira(one, other), db)
        for served in (one, other):
            name = served.site.name
            await flow.call("PUT", f"{V1}/sites/{name}", flow.jira.body(served))
            served.courier.reroute(httpx.ASGITransport(api.app))
            served.site.outbox.scale = 0.0
            listen(
                served.site,
                f"http://twinlink/webhooks/jira/{name}",
                SECRETS[name],
                events=EVENTS,
            )
        source = {"source": "field", "side": "left", "field": twin.id}
        types = [{"left": name, "right": name} for name in ("Blocks", "Relates")]
        await flow.call("PUT", AB, connection_body(twins=source, link_types=types))
        for number in range(1, 5):
            address = f"{other.base_url}/browse/B-{number}?said={WORD}"
            text = address if number % 2 else f" B-{number} "
            flow.ann.edit(f"A-{number}", **{twin.id: text})
        flow.ann.edit("A-5", **{twin.id: f"{canary('field')} B-5"})
        await settled(flow)
        await flow.mode("live")
        yield flow


EVENTS = (
    "issuelink_created",
    "issuelink_deleted",
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
)


async def settled(flow: Flow) -> None:
    """Deliveries have arrived, fields are read, changelogs too, and nothing is left to do."""
    for served in (flow.jira.left, flow.jira.right):
        await served.site.outbox.wait_idle()
    while await discover.run_once(flow.ctx):
        pass
    await flow.run()
    await flow.db.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
    await poll.run_once(flow.ctx)
    await flow.db.execute("UPDATE monitor_issues SET due_at = to_timestamp(0)")
    await monitor_verify.run_once(flow.ctx)
    await watch.run_once(flow.ctx)
    await flow.run()


async def looked_at_by_people(flow: Flow) -> None:
    """Everything that can be read over REST, filters aside."""
    document = flow.api.contract.document
    for path, item in document["paths"].items():
        if "get" not in item or path.endswith("/events") or "{id}" in path:
            continue
        place = path.replace("{name}", "ab").replace("{site}", "left").replace("{number}", "1")
        params = {"issue": "A-1"} if path.endswith(("/explain", "/twins")) else {}
        answer = await flow.client.get(place, params=params)
        assert answer.status_code in {200, 503}, f"{path} {answer.text}"


async def nothing_betrayed(flow: Flow, evidence: Evidence, owner_url: str) -> None:
    async with owner_of(owner_url) as owner:
        for table, text in (await dumped(owner)).items():
            assert found_in(text) == [], table
    assert evidence.betrayed() == []
    assert found_in(flow.ctx.metrics.render()) == []


async def plan_decided(flow: Flow, shown: dict[str, Any]) -> None:
    plan = await flow.call("GET", f"{V1}/plans/{shown['plan_id']}")
    if plan["status"] == "held":
        path = f"{V1}/plans/{plan['id']}/approval"
        await flow.call("POST", path, {"digest": plan["digest"]})
    await adopt.run_once(flow.ctx)
    await settled(flow)
    await flow.call("GET", f"{V1}/plans/{shown['plan_id']}")


async def test_the_search_finds_what_it_should(
    told: Flow, evidence: Evidence, migrate_url: str
) -> None:
    """Else silence would prove nothing. The world is full, and so would the tables be."""
    async with told.jira.left.client("ann") as ann:
        issue = (await ann.get("/rest/api/3/issue/A-1")).text
    for kind in ("summary", "description", "comment", "note", "display", "project"):
        assert f"{WORD} {kind}" in issue
    assert f"{WORD}-account-ann" in issue
    assert len(found_in("x" + f"{WORD} x".encode().hex() + WORD.upper())) == 2
    await told.db.execute("UPDATE twins SET left_key = $1", f"{WORD}-1")
    with pytest.raises(AssertionError, match="twins"):
        await nothing_betrayed(told, evidence, migrate_url)


@pytest.mark.slow
async def test_when_all_goes_well(told: Flow, evidence: Evidence, migrate_url: str) -> None:
    """Twins by a field, links made and removed by either side, a restore, an adoption, a rescue."""
    assert len((await told.call("GET", f"{AB}/twins?status=paired"))["items"]) == 4
    left, right = told.jira.left.site, told.jira.right.site
    made = [told.ann.link("A-1", kind, "A-2") for kind in ("Blocks", "Relates")]
    told.ann.link("A-2", "Blocks", "A-3")
    told.ann.edit("A-1", summary=canary("summary"), description=canary("description"))
    told.ann.comment("A-1", canary("comment"))
    await settled(told)
    assert len(right.links) == 3
    told.ann.unlink(made[0])
    person_on(right, "ann").unlink("B-2", "Blocks", "B-3")
    await settled(told)
    assert len(right.links) == 1, "one removal was mirrored, one was a person's"

    ours = await told.call("POST", f"{V1}/restores", {"connection": "ab"})
    await told.run()
    await plan_decided(told, ours)
    person_on(left, "ann").link("A-3", "Blocks", "A-4")
    theirs = person_on(right, "bot").link("B-3", "Relates", "B-4")
    person_on(left, "ann").link("A-3", "Relates", "A-4")
    await settled(told)
    key = right.user("bot").key
    taken = await told.call("POST", f"{AB}/adoptions", {"account_id": key, **EVER})
    await adopt.run_once(told.ctx)
    await plan_decided(told, taken)
    person_on(right, "bot").unlink(theirs)
    asked = {"site": "right", "account_id": key, **EVER}
    rescued = await told.client.post(f"{V1}/rescues", json=asked)
    assert rescued.status_code == 202, rescued.text
    await told.run()
    await plan_decided(told, rescued.json())
    told.ann.delete("A-4")
    await left.outbox.wait_idle()
    await one_turn(told)  # its links wait for proofs, which would take half a minute
    await told.call("POST", f"{V1}/audit/verifications")
    await audit_chain.run_once(told.ctx)
    await looked_at_by_people(told)
    await nothing_betrayed(told, evidence, migrate_url)


FAULTS: list[Callable[[], Fault]] = [
    lambda: Fault("altered", change=canaries.gossip),
    lambda: Fault("altered", change=canaries.jumbled),
    lambda: Fault("truncated"),
    lambda: Fault("error_before", status=400, words=f'{{"errorMessages": ["{canary("said")}"]}}'),
    lambda: Fault("error_before", status=403, words=canary("said")),
    lambda: Fault("error_before", status=404, words=canary("said")),
    lambda: Fault("error_after", status=500, words=canary("said")),
    lambda: Fault("error_after", status=503, words=canary("said")),
    lambda: Fault("rate_limited", reason=canary("said").replace(" ", "-"), retry_after=0),
    lambda: Fault("html"),
]
PLACES = ("", "bulkfetch|search", "issueLink", "myself|serverInfo", "changelog", "issue/")


@pytest.mark.slow
async def test_when_jira_says_what_it_should_not(
    told: Flow, evidence: Evidence, migrate_url: str
) -> None:
    """Every kind of failure at every place, with people's words where ids should be."""
    for fault in FAULTS:
        for number, place in enumerate(PLACES if fault().kind == "altered" else PLACES[:2]):
            ends = f"A-{1 + number % 3}", ("Blocks", "Relates")[number % 2], "A-4"
            made = told.ann.link(*ends)
            for served in (told.jira.left, told.jira.right):
                await served.site.outbox.wait_idle()
                broken = fault()
                broken.path = place
                served.site.faults.add(broken)
            await one_turn(told)
            for served in (told.jira.left, told.jira.right):
                served.site.faults.clear()
            told.ann.unlink(made)
    await looked_at_by_people(told)
    assert '"level":"warning"' in evidence.log.getvalue(), "something went wrong, as it should"
    assert "Traceback" not in evidence.log.getvalue(), "and nothing of it was unforeseen"
    await nothing_betrayed(told, evidence, migrate_url)


async def one_turn(flow: Flow) -> None:
    """What a worker does in a minute, once, whatever comes of it; and a person who looks on."""
    await flow.db.execute(
        "UPDATE work SET due_at = to_timestamp(0) WHERE generation > done AND lease_until IS NULL"
    )
    await flow.db.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
    await flow.db.execute("UPDATE monitor_issues SET due_at = to_timestamp(0)")
    await flow.db.execute("UPDATE discoveries SET due_at = to_timestamp(0)")
    await loop.run_once(flow.ctx, size=100, lease=60)
    await discover.run_once(flow.ctx)
    await poll.run_once(flow.ctx)
    await monitor_verify.run_once(flow.ctx)
    await flow.client.post(f"{V1}/sites/left/check")
    await flow.client.get(f"{AB}/explain", params={"issue": "A-1"})


async def test_when_strangers_and_libraries_speak(
    told: Flow, evidence: Evidence, migrate_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Webhooks that are none, bodies that fit nothing, and exceptions full of words."""
    hook = "/webhooks/jira/left"
    bodies = [
        canary("body").encode(),
        orjson.dumps({"webhookEvent": canary("event"), "timestamp": 1}),
        orjson.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": canary("id")}}),
        orjson.dumps({"webhookEvent": "issuelink_created", "issueLink": {"id": canary("id")}}),
        orjson.dumps({canary("name"): [canary("value")] * 3}),
    ]
    for raw in bodies:
        for secret in (SECRETS["left"], "wrong"):
            headers = {"X-Hub-Signature": signature(secret, raw)}
            await told.client.post(hook, content=raw, headers=headers)
    await told.client.put(f"{V1}/sites/{WORD} x", json={"base_url": canary("value")})
    await told.client.post(f"{AB}/twins", json={"twins": [{"left": canary("key"), "right": 1}]})
    await told.client.get(f"{V1}/audit", params={"issue": canary("issue")})

    async def broken(*_: object, **__: object) -> Any:
        raise ValueError(f"cannot make sense of {canary('word')!r}")

    def broken_at_once(*_: object) -> Any:
        raise RuntimeError(canary("word"))

    told.ann.link("A-1", "Blocks", "A-3")
    await told.jira.left.site.outbox.wait_idle()
    with monkeypatch.context() as patched:
        patched.setattr(loop, "look_at", broken)
        await loop.run_once(told.ctx, size=100, lease=60)
        patched.setattr(Database, "transaction", broken_at_once)
        await told.client.post(f"{V1}/pause")
    said = evidence.log.getvalue()
    assert "look_broke" in said
    assert "builtins.ValueError" in said
    await nothing_betrayed(told, evidence, migrate_url)


async def test_lost_and_doubled_deliveries_say_no_more(
    told: Flow, evidence: Evidence, migrate_url: str
) -> None:
    outbox = told.jira.left.site.outbox
    outbox.faults += [
        DeliveryFault("duplicate", copies=2, fresh_identifier=True),
        DeliveryFault("lose", event="issuelink_created", times=1),
    ]
    told.ann.link("A-1", "Blocks", "A-2")
    told.ann.edit("A-2", summary=canary("summary"))
    await settled(told)
    await nothing_betrayed(told, evidence, migrate_url)
