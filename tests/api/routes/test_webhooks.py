"""The webhook route as Jira and as strangers meet it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.api.http import bodies
from app.api.http.bodies import Intake
from app.embedded import PostgresServer, ValkeyServer, bootstrap_roles
from app.jira.webhooks.parse import Delivery, Ignored, parse_delivery
from app.settings import Settings
from app.store.config.vault import Vault
from app.store.migrations.run import migrate
from app.store.queue import stray_deliveries
from app.store.secret_homes import PREVIOUS, WEBHOOK
from app.sync.ingest import inbox
from app.sync.sites.check import delivery_findings
from tests.api.conftest import Api, running
from tests.sandbox.contract import BODIES
from tests.support.deliveries import (
    KEY,
    SECRET,
    World,
    add_connection,
    build_world,
    home,
    issue_event,
    link_event,
    signature,
)

ROUTE = "/webhooks/jira/left"


@pytest.fixture
async def world(db: asyncpg.Pool) -> World:
    return await build_world(db)


@pytest.fixture
def jira(api: Api, world: World) -> httpx.AsyncClient:
    """Somebody without a token, who checks answers against the OpenAPI document."""
    return api.client(None)


async def post(
    client: httpx.AsyncClient, raw: bytes, identifier: str | None = None, **headers: str
) -> httpx.Response:
    sent = {"X-Hub-Signature": signature(raw), **headers}
    if identifier is not None:
        sent["X-Atlassian-Webhook-Identifier"] = identifier
    return await client.post(ROUTE, content=raw, headers=sent)


async def refuse(client: httpx.AsyncClient, times: int) -> None:
    raw = link_event()
    for _ in range(times):
        headers = {"X-Hub-Signature": signature(raw, "wrong")}
        assert (await client.post(ROUTE, content=raw, headers=headers)).status_code == 401


async def test_202_means_stored_and_raised(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    answer = await post(jira, link_event(), "delivery-1")
    assert (answer.status_code, answer.json()) == (
        202,
        {"delivery": "delivery-1", "status": "accepted"},
    )
    row = await db.fetchrow("SELECT * FROM inbox")
    assert row is not None
    assert (row["delivery"], row["kind"], row["link_id"], row["type_id"]) == (
        "delivery-1",
        "link_created",
        5000,
        10000,
    )
    assert (row["source_id"], row["destination_id"], row["issue_id"]) == (100, 101, None)
    assert row["occurred_at"] == datetime(2020, 7, 7, 0, 30, 54, 17000, tzinfo=UTC)
    assert await db.fetchval("SELECT count(*) FROM work WHERE generation > done") == 2


async def test_a_duplicate_raises_nothing(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    await post(jira, link_event(), "delivery-1")
    generations = await db.fetch("SELECT generation FROM work ORDER BY twin_id")
    answer = await post(jira, link_event(), "delivery-1")
    assert (answer.status_code, answer.json()["status"]) == (202, "duplicate")
    assert await db.fetch("SELECT generation FROM work ORDER BY twin_id") == generations


async def test_without_identifier_the_body_counts_once(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    statuses = [(await post(jira, raw)).json()["status"] for raw in [link_event()] * 2]
    statuses.append((await post(jira, link_event(101, 102))).json()["status"])
    assert statuses == ["accepted", "duplicate", "accepted"]
    assert await db.fetchval("SELECT count(*) FROM inbox") == 2


async def test_the_same_body_under_another_identifier_is_the_same_event(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    """Nothing signs the identifier: a captured delivery could be sent for ever."""
    await post(jira, link_event(), "delivery-1")
    generations = await db.fetch("SELECT generation FROM work ORDER BY twin_id")
    for identifier in ("delivery-2", None):
        answer = await post(jira, link_event(), identifier)
        assert (answer.status_code, answer.json()["status"]) == (202, "duplicate")
    assert (await post_in_pieces(jira, link_event())).json()["status"] == "duplicate"
    assert await db.fetch("SELECT generation FROM work ORDER BY twin_id") == generations
    assert await db.fetchval("SELECT count(*) FROM inbox") == 1


async def test_the_same_body_of_another_site_is_another_event(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    raw = link_event()
    for site in ("left", "right"):
        sent = {"X-Hub-Signature": signature(raw)}
        answer = await jira.post(f"/webhooks/jira/{site}", content=raw, headers=sent)
        assert answer.json()["status"] == "accepted"
    assert await db.fetchval("SELECT count(*) FROM inbox") == 2


async def test_bodies_without_a_time_are_told_apart_by_their_identifiers(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    """Two events may read alike then, and none may be lost."""
    raw = json.dumps({**json.loads(link_event()), "timestamp": "yesterday"}).encode()
    statuses = [
        (await post(jira, raw, identifier)).json()["status"] for identifier in ("one", "two", "two")
    ]
    assert statuses == ["accepted", "accepted", "duplicate"]


@pytest.mark.parametrize(("hours", "late"), [(0, False), (23, False), (25, True)])
async def test_an_event_older_than_a_day_is_stored_and_flagged(
    api: Api, jira: httpx.AsyncClient, db: asyncpg.Pool, hours: int, late: bool
) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours)
    event = {**json.loads(link_event()), "timestamp": int(at.timestamp() * 1000)}
    assert (await post(jira, json.dumps(event).encode())).json()["status"] == "accepted"
    [it] = (await api.client().get("/api/v1/deliveries")).json()["items"]
    assert it["late"] is late
    assert await db.fetchval("SELECT count(*) FROM work WHERE generation > done") == 2


async def test_a_crowd_at_once_is_all_stored_once(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    posts = [post(jira, link_event(id=1 + n % 50), f"delivery-{n % 50}") for n in range(100)]
    answers = await asyncio.gather(*posts)
    statuses = [answer.json()["status"] for answer in answers]
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (50, 50)
    assert await db.fetchval("SELECT count(*) FROM inbox") == 50


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"webhookEvent": "comment_created"}).encode(),
        link_event(systemLink=True),
        issue_event("issue_updated", items=[{"field": "summary", "fieldId": "summary"}]),
    ],
)
async def test_what_says_nothing_is_ignored(
    jira: httpx.AsyncClient, db: asyncpg.Pool, raw: bytes
) -> None:
    answer = await post(jira, raw)
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    assert await db.fetchval("SELECT count(*) FROM inbox") == 0


@pytest.mark.parametrize("given", [None, "", "sha256=", "sha1=00", "sha256=zz", signature(b"x")])
async def test_401_is_counted(jira: httpx.AsyncClient, db: asyncpg.Pool, given: str | None) -> None:
    headers = {} if given is None else {"X-Hub-Signature": given}
    answer = await jira.post(ROUTE, content=link_event(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    assert await db.fetchval("SELECT rejected_total FROM sites WHERE name = 'left'") == 1
    assert await db.fetchval("SELECT count(*) FROM inbox") == 0


@pytest.mark.parametrize("site", ["nowhere", "LEFT", "left%00", "a" * 100, "%F0%9F%A6%86"])
async def test_404_without_reading_the_body(jira: httpx.AsyncClient, site: str) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    answer = await jira.post(f"/webhooks/jira/{site}", content=body())
    assert (answer.status_code, answer.json()["code"], read) == (404, "site_unknown", 0)


async def test_a_site_of_a_moment_ago_is_known(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    assert (await post(jira, link_event())).status_code == 202
    await db.execute(
        """INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
               webhook_secret_sealed) SELECT 'newest', base_url, deployment, auth_kind, '', $1
           FROM sites WHERE name = 'left'""",
        Vault([KEY]).seal(SECRET, home("newest"), WEBHOOK),
    )
    raw = link_event()
    headers = {"X-Hub-Signature": signature(raw)}
    answer = await jira.post("/webhooks/jira/newest", content=raw, headers=headers)
    assert answer.status_code == 202


FROM_JIRA = {"X-Atlassian-Webhook-Identifier": "delivery-1"}


async def strays(db: asyncpg.Pool) -> list[tuple[str, str, int]]:
    rows = await db.fetch(
        "SELECT site, fault, total FROM stray_deliveries WHERE total > 0 ORDER BY site, fault"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/jira/left/",
        "/webhooks/jira/LEFT",
        "/Webhooks/Jira/left",
        "/webhooks//jira/Left//",
    ],
)
async def test_a_delivery_to_nearly_the_right_path_is_404_and_counted(
    jira: httpx.AsyncClient, db: asyncpg.Pool, path: str
) -> None:
    for headers in (FROM_JIRA, {"User-Agent": "Atlassian HttpClient 3.0"}, {}):
        answer = await jira.post(path, content=link_event(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "site_unknown")
    assert await strays(db) == [("left", "path", 2)], "the last one could be anybody"


@pytest.mark.parametrize("path", ["/webhooks/jira/", "/webhooks/jira/a/b", "/webhooks", "/jira/x"])
async def test_a_path_that_names_no_site_is_nobodys(
    jira: httpx.AsyncClient, db: asyncpg.Pool, path: str
) -> None:
    assert (await jira.post(path, content=b"x", headers=FROM_JIRA)).status_code == 404
    assert await strays(db) == []


async def test_deliveries_for_a_deleted_site_are_counted_until_it_is_there_again(
    api: Api, jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    body = {
        "base_url": "https://jira.invalid",
        "deployment": "cloud",
        "auth": {"kind": "basic", "email": "a@example.com", "token": "token"},
        "webhook_secret": "a secret of sixteen characters",
        "account_dedicated": True,
    }
    admin = api.client()
    assert (await admin.put("/api/v1/sites/gone", json=body)).status_code == 201
    assert (await admin.delete("/api/v1/sites/gone")).status_code == 204
    for site in ("gone", "gone/", "nowhere"):
        answer = await jira.post(f"/webhooks/jira/{site}", content=b"x", headers=FROM_JIRA)
        assert answer.status_code == 404
    assert await strays(db) == [("gone", "deleted", 2)]
    assert (await admin.put("/api/v1/sites/gone", json=body)).status_code == 201
    assert await strays(db) == []


async def test_site_check_names_what_was_lost(
    api: Api, jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    for path in (ROUTE + "/", "/webhooks/jira/LEFT", ROUTE):
        await jira.post(path, content=link_event(), headers=FROM_JIRA)
    async with api.services.database.connection() as conn:
        counted = await stray_deliveries.fresh(conn, now=datetime.now(UTC), site="left")
        later = datetime.now(UTC) + timedelta(hours=25)
        assert await stray_deliveries.fresh(conn, now=later) == [], "long over"
    found = {it.code: it.detail for it in delivery_findings(counted)}
    assert found.keys() == {"deliveries_path", "deliveries_unsigned"}
    assert "2 deliveries" in found["deliveries_path"]
    assert "/webhooks/jira/left, exactly so" in found["deliveries_path"]
    assert "this Jira signs nothing" in found["deliveries_unsigned"]
    assert "basic authentication" in found["deliveries_unsigned"]


async def test_an_unsigned_delivery_is_told_from_one_that_is_signed_wrongly(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    await refuse(jira, 2)
    for raw in (link_event(), b"no delivery"):
        assert (await jira.post(ROUTE, content=raw)).status_code == 401
    assert await strays(db) == [("left", "unsigned", 1)]


async def replace_secret(db: asyncpg.Pool, until: datetime) -> None:
    await db.execute(
        "UPDATE sites SET previous_secret_sealed = $1, "
        "previous_secret_until = $2, webhook_secret_sealed = $3 WHERE name = 'left'",
        Vault([KEY]).seal(SECRET, home("left"), PREVIOUS),
        until,
        Vault([KEY]).seal("another secret", home("left"), WEBHOOK),
    )


async def test_a_replaced_secret_is_valid_until_it_is_not(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    assert (await post(jira, link_event(), "before")).status_code == 202
    await replace_secret(db, datetime.now(UTC) + timedelta(hours=24))
    raw = link_event()
    fresh = await post(jira, raw, "new", **{"X-Hub-Signature": signature(raw, "another secret")})
    assert fresh.status_code == 202, "seen at once, though the site was in memory"
    assert (await post(jira, raw, "old")).status_code == 202


async def test_an_expired_secret_is_refused(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    await replace_secret(db, datetime.now(UTC) - timedelta(seconds=1))
    assert (await post(jira, link_event())).status_code == 401


async def test_a_secret_that_no_key_opens_is_503(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    foreign = Vault(["a key of another installation 000"]).seal(SECRET, home("left"), WEBHOOK)
    await db.execute("UPDATE sites SET webhook_secret_sealed = $1 WHERE name = 'left'", foreign)
    answer = await post(jira, link_event())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")


async def test_five_refusals_make_the_next_valid_one_start_a_comparison(
    jira: httpx.AsyncClient, db: asyncpg.Pool, world: World
) -> None:
    await refuse(jira, 5)
    assert (await post(jira, link_event(), "valid")).status_code == 202
    rows = await db.fetch("SELECT connection_id, cause, status, twin_ids FROM resyncs")
    assert [tuple(row) for row in rows] == [
        (world.connection, "rejected_deliveries", "queued", None)
    ]
    assert await db.fetchval("SELECT rejected_recent FROM sites WHERE name = 'left'") == 0
    await post(jira, link_event(), "another")
    assert await db.fetchval("SELECT count(*) FROM resyncs") == 1


async def comparisons(db: asyncpg.Pool) -> int:
    number: int = await db.fetchval(
        "SELECT count(*) FROM resyncs WHERE cause = 'rejected_deliveries'"
    )
    return number


async def end_comparisons(db: asyncpg.Pool, *, minutes_ago: int = 0) -> None:
    await db.execute(
        "UPDATE resyncs SET status = 'succeeded', finished_at = now(), "
        "created_at = created_at - make_interval(mins => $1)",
        minutes_ago,
    )
    await db.execute(
        "UPDATE sites SET comparison_due_at = comparison_due_at - make_interval(mins => $1), "
        "comparison_since = comparison_since - make_interval(mins => $1), "
        "rejected_last = rejected_last - make_interval(mins => $1)",
        minutes_ago,
    )


async def test_forged_deliveries_start_one_comparison_an_hour(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    for turn in range(3):
        await refuse(jira, 5)
        await post(jira, link_event(), f"valid {turn}")
        await end_comparisons(db)
    assert await comparisons(db) == 1
    assert await db.fetchval("SELECT rejected_recent FROM sites WHERE name = 'left'") == 0


async def test_the_comparison_that_had_to_wait_comes_an_hour_after_the_last(
    api: Api, jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    for turn in range(2):
        await refuse(jira, 5)
        await post(jira, link_event(), f"valid {turn}")
        await end_comparisons(db)
    await end_comparisons(db, minutes_ago=59)
    await api.app.state.inbox._senders.refresh()
    await post(jira, link_event(), "early")
    assert await comparisons(db) == 1
    await end_comparisons(db, minutes_ago=2)
    await api.app.state.inbox._senders.refresh()
    await post(jira, link_event(), "in time")
    await end_comparisons(db)
    assert await comparisons(db) == 2
    await api.app.state.inbox._senders.refresh()
    await post(jira, link_event(), "nothing is owed")
    assert await comparisons(db) == 2
    owed = await db.fetchval("SELECT count(comparison_since) FROM sites")
    assert owed == 0


async def test_one_connection_that_waits_makes_no_other_one_compare_again(
    api: Api, jira: httpx.AsyncClient, db: asyncpg.Pool, world: World
) -> None:
    """Else two connections would take turns for ever."""
    await refuse(jira, 5)
    await post(jira, link_event(), "first")
    await end_comparisons(db, minutes_ago=30)
    other = await add_connection(db, world.left, world.right, "other")
    await refuse(jira, 5)
    await post(jira, link_event(), "second")
    assert await comparisons(db) == 2
    for turn in range(4):
        await end_comparisons(db, minutes_ago=31)
        await api.app.state.inbox._senders.refresh()
        await post(jira, link_event(), f"later {turn}")
    rows = await db.fetch("SELECT connection_id FROM resyncs ORDER BY id")
    assert [row[0] for row in rows] == [world.connection, other, world.connection]


@pytest.mark.parametrize("raw", [b"", b"{}", b"GET / HTTP/1.1", b'{"event": "push"}'])
async def test_what_no_jira_sends_is_refused_and_is_no_lost_event(
    jira: httpx.AsyncClient, db: asyncpg.Pool, raw: bytes
) -> None:
    for _ in range(5):
        assert (await jira.post(ROUTE, content=raw)).status_code == 401
    await post(jira, link_event())
    assert await comparisons(db) == 0
    assert await db.fetchval("SELECT rejected_total FROM sites WHERE name = 'left'") == 0


@pytest.mark.parametrize("headers", [{}, {"X-Hub-Signature": "sha256=" + "0" * 64}])
async def test_a_large_body_of_a_stranger_is_not_taken_apart(
    jira: httpx.AsyncClient,
    db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    """23 MB of empty lists become 700 MB, and parsing them holds up everybody for two seconds."""
    parsed: list[int] = []

    def parse(raw: bytes) -> Delivery | Ignored:
        parsed.append(len(raw))
        return parse_delivery(raw)

    monkeypatch.setattr(inbox, "parse_delivery", parse)
    raw = b'{"webhookEvent":"x","a":[' + b"[]," * 200_000 + b"0]}"
    assert (await jira.post(ROUTE, content=raw, headers=headers)).status_code == 401
    assert parsed == []
    assert await db.fetchval("SELECT rejected_total FROM sites WHERE name = 'left'") == 1
    nothing = b"[" + b"[]," * 200_000 + b"0]"
    assert (await jira.post(ROUTE, content=nothing, headers=headers)).status_code == 401
    assert await db.fetchval("SELECT rejected_total FROM sites WHERE name = 'left'") == 1


async def test_even_an_ignored_one_starts_it(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    await refuse(jira, 5)
    await post(jira, link_event(systemLink=True))
    assert await db.fetchval("SELECT count(*) FROM resyncs") == 1


async def test_four_refusals_or_five_in_more_than_ten_minutes_do_not(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    await refuse(jira, 4)
    await db.execute("UPDATE sites SET rejected_since = now() - interval '11 minutes'")
    await refuse(jira, 1)
    await post(jira, link_event())
    assert await db.fetchval("SELECT count(*) FROM resyncs") == 0
    assert await db.fetchval("SELECT rejected_total FROM sites WHERE name = 'left'") == 5


async def test_a_flag_is_kept_however_long_nothing_valid_comes(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    await refuse(jira, 5)
    await db.execute("UPDATE sites SET rejected_since = now() - interval '3 days'")
    await refuse(jira, 1)
    await post(jira, link_event())
    assert await db.fetchval("SELECT count(*) FROM resyncs") == 1


async def chunks(total: int, size: int = 1024) -> AsyncIterator[bytes]:
    for _ in range(total // size):
        yield b" " * size


@pytest.mark.parametrize("announced", [None, "10", "-5", "nonsense", "9" * 40])
async def test_413_whatever_the_length_says(
    api: Api, jira: httpx.AsyncClient, announced: str | None
) -> None:
    api.app.state.intake = Intake(largest=4096)
    headers = {} if announced is None else {"Content-Length": announced}
    answer = await jira.post(ROUTE, content=chunks(8192), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert api.app.state.intake.held == 0
    assert (await post(jira, link_event())).status_code == 202


async def test_the_limit_is_25_mb(api: Api) -> None:
    assert api.app.state.intake.largest == bodies.LARGEST_BODY == 25 * 1024 * 1024


async def test_many_large_bodies_are_503_and_forgotten(api: Api, jira: httpx.AsyncClient) -> None:
    api.app.state.intake = Intake(most_held=4096)
    answer = await jira.post(ROUTE, content=chunks(8192))
    assert (answer.status_code, api.app.state.intake.held) == (503, 0)
    assert answer.headers["Retry-After"]


async def test_a_body_that_never_ends_is_408(api: Api, jira: httpx.AsyncClient) -> None:
    api.app.state.intake = Intake(slowest=0.01)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await jira.post(ROUTE, content=stalled())
    assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")


MIB = 1024 * 1024


class Hoarder:
    """Sends all of a body but its last byte and leaves it at that."""

    def __init__(self, client: httpx.AsyncClient, size: int = MIB) -> None:
        self._size = size
        self._stalled = asyncio.Event()
        headers = {"Content-Length": str(size), "X-Hub-Signature": "sha256=00"}
        post = client.post(ROUTE, content=self._body(), headers=headers)
        self.task = asyncio.create_task(post)

    async def _body(self) -> AsyncIterator[bytes]:
        for sent in range(0, self._size - 1, 65_536):
            yield b" " * min(65_536, self._size - 1 - sent)
        self._stalled.set()
        await asyncio.Event().wait()

    async def holds(self) -> None:
        """Return once it stalls or was sent away."""
        stalled = asyncio.create_task(self._stalled.wait())
        await asyncio.wait([stalled, self.task], return_when=asyncio.FIRST_COMPLETED)
        stalled.cancel()


@pytest.fixture
async def hoard(api: Api) -> AsyncIterator[Callable[..., Awaitable[list[Hoarder]]]]:
    made: list[Hoarder] = []

    async def start(
        number: int, size: int = MIB, addresses: tuple[str, ...] = ("192.0.2.1",)
    ) -> list[Hoarder]:
        new = [
            Hoarder(api.client(None, address=addresses[n % len(addresses)]), size)
            for n in range(number)
        ]
        made.extend(new)
        for hoarder in new:
            await hoarder.holds()
        return new

    yield start
    for hoarder in made:
        hoarder.task.cancel()
    await asyncio.gather(*(hoarder.task for hoarder in made), return_exceptions=True)


Hoard = Callable[..., Awaitable[list[Hoarder]]]


async def test_slow_large_bodies_keep_no_small_one_out(
    api: Api, jira: httpx.AsyncClient, hoard: Hoard
) -> None:
    api.app.state.intake = Intake(largest=MIB, most_held=8 * MIB)
    await hoard(8)
    assert (await post(jira, link_event())).status_code == 202


async def test_slow_small_bodies_of_one_address_keep_no_other_one_out(
    api: Api, jira: httpx.AsyncClient, hoard: Hoard
) -> None:
    api.app.state.intake = Intake(largest=MIB, most_held=8 * MIB)
    await hoard(40, bodies.SMALL_BODY)
    assert (await post(jira, link_event())).status_code == 202


async def test_slow_large_bodies_of_one_address_leave_room_for_a_large_one(
    api: Api, jira: httpx.AsyncClient, hoard: Hoard
) -> None:
    api.app.state.intake = Intake(largest=MIB, most_held=8 * MIB)
    await hoard(8)
    assert (await post_in_pieces(jira, padded(link_event(), MIB // 2))).status_code == 202


async def test_slow_bodies_give_way_from_however_many_addresses(
    api: Api, jira: httpx.AsyncClient, hoard: Hoard
) -> None:
    api.app.state.intake = Intake(largest=MIB, most_held=8 * MIB, patience=0.0)
    hoarders = await hoard(8, MIB, tuple(f"192.0.2.{n}" for n in range(8)))
    assert (await post_in_pieces(jira, padded(link_event(), MIB))).status_code == 202
    answers = [hoarder.task.result() for hoarder in hoarders if hoarder.task.done()]
    assert {answer.status_code for answer in answers} == {503}, "Jira would send it again"
    assert any(not hoarder.task.done() for hoarder in hoarders), "room for one was enough"


async def test_what_says_that_it_is_small_and_is_not_counts_as_large(
    api: Api, jira: httpx.AsyncClient
) -> None:
    intake = api.app.state.intake = Intake(largest=MIB, most_held=8 * MIB)

    async def long() -> AsyncIterator[bytes]:
        yield b" " * bodies.SMALL_BODY
        assert (intake.small.held, intake.large.held) == (bodies.SMALL_BODY, 0)
        yield b" "
        assert (intake.small.held, intake.large.held) == (0, bodies.SMALL_BODY + 1)

    answer = await jira.post(ROUTE, content=long(), headers={"Content-Length": "10"})
    assert answer.status_code == 401
    assert (intake.held, intake.small.shares, intake.large.shares) == (0, {}, {})


def padded(raw: bytes, size: int) -> bytes:
    return raw + b" " * (size - len(raw))


async def post_in_pieces(client: httpx.AsyncClient, raw: bytes, **headers: str) -> httpx.Response:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 65_536):
            yield raw[start : start + 65_536]

    sent = {
        "X-Hub-Signature": signature(raw),
        "Content-Length": str(len(raw)),
        **headers,
    }
    return await client.post(ROUTE, content=pieces(), headers=sent)


async def test_a_body_in_pieces_is_checked_as_one_that_came_whole(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    raw = padded(link_event(), MIB)
    assert (await post_in_pieces(jira, raw)).status_code == 202
    await replace_secret(db, datetime.now(UTC) + timedelta(hours=24))
    fresh = {"X-Hub-Signature": signature(raw, "another secret")}
    assert (await post_in_pieces(jira, raw, **fresh)).status_code == 202
    forged = {"X-Hub-Signature": signature(raw[:-1])}
    assert (await post_in_pieces(jira, raw, **forged)).status_code == 401


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"webhookEvent": 7}',
        link_event(0),
        link_event(2**63),
        link_event("1e3"),
        link_event(None),
        issue_event("issue_deleted", issue=-1),
    ],
)
async def test_400(jira: httpx.AsyncClient, raw: bytes) -> None:
    answer = await post(jira, raw)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_delivery")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_405(jira: httpx.AsyncClient, method: str) -> None:
    assert (await jira.request(method, ROUTE)).status_code == 405


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None, categories=None), max_size=8)
    | st.sampled_from(["100", "2 Nov", "\x00", "\ud83d", "customfield_1", "A-1"])
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_ITEMS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "field": st.sampled_from(["Link", "Key", "project"]) | _ANY,
            "fieldId": st.sampled_from(["customfield_1", "security"]) | _ANY,
            "fieldtype": st.just("custom") | _ANY,
        },
    ),
    max_size=3,
)
_EVENTS = st.fixed_dictionaries(
    {
        "webhookEvent": st.sampled_from(
            ["issuelink_created", "issuelink_deleted", "jira:issue_updated", "jira:issue_created"]
        )
    },
    optional={
        "timestamp": _ANY,
        "systemLink": _ANY,
        "issueLink": st.fixed_dictionaries(
            {},
            optional={
                "id": _ANY,
                "sourceIssueId": st.just(100) | _ANY,
                "destinationIssueId": st.just("101") | _ANY,
                "issueLinkType": st.fixed_dictionaries({"id": _ANY}) | _ANY,
            },
        )
        | _ANY,
        "issue": st.fixed_dictionaries({"id": st.just("100") | _ANY, "key": _ANY}) | _ANY,
        "changelog": st.fixed_dictionaries({"items": _ITEMS}) | _ANY,
        "extra": _ANY,
    },
)
_BODIES = (
    st.binary(max_size=64)
    | _ANY.map(_encoded := lambda it: json.dumps(it).encode())
    | (_EVENTS.map(_encoded))
)


@given(raw=_BODIES, identifier=st.none() | st.text(st.characters(codec="latin-1"), max_size=250))
@settings(max_examples=150)
async def test_no_body_is_ever_a_5xx(
    jira: httpx.AsyncClient, raw: bytes, identifier: str | None
) -> None:
    headers = {b"X-Hub-Signature": signature(raw).encode()}
    if identifier is not None:
        headers[b"X-Atlassian-Webhook-Identifier"] = identifier.encode("latin-1")
    answer = await jira.post(ROUTE, content=raw, headers=headers)
    assert answer.status_code in {202, 400}


def confidential(node: object, key: str = "") -> Iterator[str]:
    """Texts of people in a body: what must never be found again."""
    words = {"summary", "description", "displayName", "emailAddress", "body", "environment"}
    if isinstance(node, dict):
        for name, value in node.items():
            yield from confidential(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from confidential(value, key)
    elif isinstance(node, str) and key in words and len(node) > 3:
        yield node


async def dump(db: asyncpg.Pool) -> str:
    tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [await db.fetch(f'SELECT t::text FROM "{name}" t') for (name,) in tables]  # noqa: S608
    return "\n".join(row[0] for table in rows for row in table)


async def test_issue_texts_of_a_stored_delivery_are_nowhere(
    jira: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    raw = issue_event("issue_updated", items=[{"field": "Link", "toString": "Confidential"}])
    assert (await post(jira, raw, "delivery-1")).json()["status"] == "accepted"
    found = await dump(db)
    assert "delivery-1" in found
    assert "Confidential" not in found


async def test_whole_bodies_leave_metadata_only(jira: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    texts: set[str] = set()
    before = await dump(db)
    for path in sorted(BODIES.glob("*.json")):
        answer = await post(jira, path.read_bytes(), path.name)
        assert answer.status_code in {202, 400}, path.name
        if "issuelink_" in path.name or "issue_deleted" in path.name:
            assert answer.json()["status"] == "accepted", path.name
        body = json.loads(path.read_bytes())
        texts.update(confidential(body))
        if isinstance(body, dict) and "changelog" in body:
            # As it would be had a link changed: then it is stored.
            body["changelog"]["items"].append({"field": "Link", "toString": "This issue blocks X"})
            again = await post(jira, json.dumps(body).encode(), f"{path.name} with a link")
            assert again.json()["status"] == "accepted"
    found = await dump(db)
    assert await db.fetchval("SELECT count(*) FROM inbox") >= 4
    assert texts, "the bodies hold something to look for"
    assert [text for text in texts if found.count(text) > before.count(text)] == []


async def test_postgres_away_is_503_and_nothing_is_lost(own_postgres: PostgresServer) -> None:
    migrate_url, run_url = await bootstrap_roles(own_postgres.url)
    await migrate(migrate_url)
    async with asyncpg.create_pool(run_url, min_size=0) as db:
        await build_world(db)
    there = Settings(database_url=SecretStr(run_url), secret_key=(SecretStr(KEY),))
    async with running(there) as api:
        jira = api.client(None)
        assert (await post(jira, link_event(), "before")).status_code == 202
        own_postgres.stop("immediate")
        for _ in range(2):
            answer = await post(jira, link_event(id=5001), "during")
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        own_postgres.start()
        assert (await post(jira, link_event(), "before")).json()["status"] == "duplicate"
        answer = await post(jira, link_event(id=5001), "during")
        assert answer.json()["status"] == "accepted"


async def test_redis_away_changes_no_answer(
    settings: Settings, db: asyncpg.Pool, own_valkey: ValkeyServer
) -> None:
    await build_world(db)
    own_valkey.stop()
    without = settings.model_copy(update={"redis_url": SecretStr(own_valkey.url)})
    async with running(without) as api:
        assert (await post(api.client(None), link_event())).json()["status"] == "accepted"
        await api.services.wake.aclose()
        assert api.services.wake.failed == 1
