"""Every declared fault, and the site's own rate limits."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import httpx
import pytest

from app.sandbox import Fault, JiraSite, ManualClock, SiteApp
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect, body_of

V3 = "/rest/api/3"
MADE = {("A-1", "Blocks", "A-2")}


async def test_429_with_all_headers(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("rate_limited", method="POST", times=1, retry_after=7))
    client = connect(site)
    answer = await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["ratelimit-reason"] == "jira-burst-based"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == "2026-01-01T00:00Z"
    assert not site.links
    assert (await client.get(f"{V3}/myself")).status_code == 200


async def test_429_of_a_gateway_without_headers(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("rate_limited", headers="none"))
    answer = await connect(site).get(f"{V3}/myself")
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers
    assert "ratelimit-reason" not in answer.headers


@pytest.mark.parametrize(("ahead", "reset"), [(130, "00:02"), (0, "00:00"), (-60, "23:59")])
async def test_429_with_a_reset_in_whole_minutes_only(
    site: JiraSite, connect: Connect, ahead: int, reset: str
) -> None:
    site.faults.add(Fault("rate_limited", headers="reset", retry_after=ahead))
    answer = await connect(site).get(f"{V3}/myself")
    assert "retry-after" not in answer.headers
    assert answer.headers["x-ratelimit-reset"].endswith(f"T{reset}Z")


async def test_429_with_the_names_of_a_trial_period(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("rate_limited", headers="beta", retry_after=0))
    answer = await connect(site).get(f"{V3}/myself")
    assert answer.headers["x-beta-ratelimit-reset"] == "2026-01-01T00:00Z"
    assert answer.headers["beta-ratelimit-reason"] == "jira-burst-based"
    assert answer.headers["retry-after"] == "0"
    assert "x-ratelimit-reset" not in answer.headers


async def test_5xx_may_say_when_to_come_back(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("error_before", status=500, headers="retry_after", retry_after=9))
    answer = await connect(site).get(f"{V3}/myself")
    assert (answer.status_code, answer.headers["retry-after"]) == (500, "9")


async def test_data_center_rate_headers(dc: JiraSite, connect: Connect) -> None:
    dc.faults.add(Fault("rate_limited"))
    answer = await connect(dc).get("/rest/api/2/myself")
    assert answer.headers["x-ratelimit-fillrate"]
    assert answer.headers["x-ratelimit-interval-seconds"] == "1"


@pytest.mark.parametrize(("kind", "expected"), [("error_before", set()), ("error_after", MADE)])
async def test_5xx_before_and_after_the_commit(
    site: JiraSite, connect: Connect, kind: str, expected: set[tuple[str, str, str]]
) -> None:
    site.faults.add(Fault(kind, path="^/issueLink$", status=502, times=1))  # type: ignore[arg-type]
    answer = await connect(site).post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert answer.status_code == 502
    assert site.triples_of() == expected


@pytest.mark.parametrize(("kind", "expected"), [("drop_before", set()), ("drop_after", MADE)])
async def test_dropped_connections(
    site: JiraSite, connect: Connect, kind: str, expected: set[tuple[str, str, str]]
) -> None:
    site.faults.add(Fault(kind, times=1))  # type: ignore[arg-type]
    with pytest.raises(httpx.RemoteProtocolError):
        await connect(site).post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert site.triples_of() == expected
    assert site.requests.entries[-1].status == 0


async def test_a_late_commit_happens_after_the_time_out(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    app = SiteApp(site)
    site.faults.add(Fault("late_commit", method="POST", times=1, seconds=25))
    with pytest.raises(httpx.ReadTimeout):
        await connect(site, app=app).post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert not site.links
    await asyncio.sleep(0)  # the late task goes to sleep
    await clock.advance(24)
    assert not site.links
    await clock.advance(2)
    await app.settled()
    assert site.triples_of() == MADE


async def test_answers_that_are_no_answers(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    site.faults.add(Fault("html", times=1))
    page = await client.get(f"{V3}/issue/A-1")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    site.faults.add(Fault("truncated", times=1))
    cut = await client.get(f"{V3}/issue/A-1")
    assert cut.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        cut.json()
    site.faults.add(Fault("huge", times=1, size=100_000))
    huge = await client.get(f"{V3}/issue/A-1")
    assert len(huge.content) > 100_000
    assert huge.json()["key"] == "A-1"
    site.faults.add(Fault("unauthorized", times=1))
    assert (await client.get(f"{V3}/issue/A-1")).status_code == 401


async def test_slow_answers_and_latency(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    site.faults.add(Fault("slow", times=1, seconds=5))
    site.latency = 0.1
    asked = asyncio.create_task(connect(site).get(f"{V3}/myself"))
    for _ in range(20):
        await asyncio.sleep(0)
    await clock.advance(0.2)
    assert not asked.done()
    await clock.advance(5)
    answer = await asked
    assert parsedate_to_datetime(answer.headers["date"]).second == 5


async def test_races_through_actions(site: JiraSite, connect: Connect) -> None:
    """A person makes the very same link between our read and our write."""
    ann = person_on(site, "ann")
    site.faults.add(
        Fault(
            "before",
            method="POST",
            path="^/issueLink$",
            times=1,
            action=lambda: ann.link("A-1", "Blocks", "A-2"),
        )
    )
    answer = await connect(site).post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert answer.status_code == 201
    assert [entry.actor for entry in site.mutations] == ["ann"]


async def test_skip_account_and_probability(site: JiraSite, connect: Connect) -> None:
    fault = site.faults.add(Fault("error_before", skip=1, times=1, account="twinlink"))
    client = connect(site)
    assert (await connect(site, "ann").get(f"{V3}/myself")).status_code == 200
    codes = [(await client.get(f"{V3}/myself")).status_code for _ in range(3)]
    assert codes == [200, 503, 200]
    assert fault.hits == 1
    site.faults.clear()
    fault = site.faults.add(Fault("error_before", probability=0.3))
    for _ in range(100):
        await client.get(f"{V3}/myself")
    assert 15 <= fault.hits <= 45


async def test_burst_limits(site: JiraSite, clock: ManualClock, connect: Connect) -> None:
    site.limits.enabled = True
    client = connect(site)
    answers = [await client.delete(f"{V3}/issueLink/1") for _ in range(51)]
    assert [answer.status_code for answer in answers] == [404] * 50 + [429]
    assert answers[-1].headers["ratelimit-reason"] == "jira-burst-based"
    near = [answer for answer in answers if "x-ratelimit-nearlimit" in answer.headers]
    assert not near  # only good answers carry it
    assert (await client.get(f"{V3}/issueLink/1")).status_code == 404
    clock.tick(1.1)
    assert (await client.delete(f"{V3}/issueLink/1")).status_code == 404


async def test_writes_count_on_both_issues(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    site.limits.enabled = True
    client = connect(site)
    codes = []
    for _ in range(21):
        answer = await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
        codes.append(answer.status_code)
    assert codes == [201] * 20 + [429]
    assert answer.headers["ratelimit-reason"] == "jira-per-issue-on-write"
    other = await client.post(f"{V3}/issueLink", json=body_of("A-3", "A-2"))
    assert other.status_code == 429
    assert (await client.post(f"{V3}/issueLink", json=body_of("A-3", "A-4"))).status_code == 201
    clock.tick(2.1)
    assert (await client.post(f"{V3}/issueLink", json=body_of("A-3", "A-2"))).status_code == 201
    assert site.limits.refused == 2
