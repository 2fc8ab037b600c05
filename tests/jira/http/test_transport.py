"""What one request may do: redirects, sizes, missing dates, rate limits, records."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.core.authorship import NO_DATE
from app.core.errors import NotSent, OutcomeUnknown, PermanentError, TransientError
from app.core.links import Ends, IssueId, LinkId, ProjectKey, TypeId
from app.jira.client import BasicAuth, CallRecord, JiraClient, SiteAccess
from app.jira.http import transport as transport_module
from app.jira.http.errors import LONGEST_RETRY_AFTER, retry_after
from app.jira.http.options import Options
from app.jira.http.response import Answer
from app.jira.rates.budget import Grant, Scope
from tests.support.assured import assured

Handler = Callable[[httpx.Request], httpx.Response]
DATE = {"Date": "Fri, 29 Aug 2025 16:00:00 GMT"}
NOW = datetime(2025, 8, 29, 16, 0, tzinfo=UTC)
EMPTY = {"issues": [], "issueErrors": [], "startAt": 0, "total": 0}
ENDS = Ends(IssueId("11"), IssueId("12"))


class RecordingBudget:
    """Grants at once; remembers what was asked of it."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, tuple[IssueId, ...], bool]] = []
        self.paused: list[tuple[Scope, float]] = []
        self.slowed: list[tuple[str, str]] = []
        self.halved: list[float] = []
        self.rates: list[float | None] = []
        self.late: list[float | None] = []
        self.behind = 0.0

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
        rate: float | None = None,
    ) -> Grant:
        self.rates.append(rate)
        self.taken.append((endpoint, method, tuple(issues), bulk))
        return Grant(0.0, -self.behind, lambda: 0.0, self.late.append)

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        self.paused.append((scope, seconds))

    async def slow(
        self,
        site: int,
        endpoint: str,
        method: str,
        *,
        ago: float = 0.0,
        paused: float | None = None,
    ) -> None:
        if paused is None:
            self.slowed.append((endpoint, method))
        else:
            self.halved.append(paused)


Make = Callable[..., JiraClient]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    opened: list[JiraClient] = []

    def build(
        handler: Handler,
        deployment: str = "cloud",
        site_rate: float | None = None,
        **options: object,
    ) -> JiraClient:
        site = SiteAccess(
            1,
            "left",
            "https://left.example/jira",
            deployment,  # type: ignore[arg-type]
            BasicAuth("bot@left.example", "token"),
            rate=site_rate,
        )
        client = assured(
            JiraClient(site, Options(**options), http=httpx.MockTransport(handler))  # type: ignore[arg-type]
        )
        opened.append(client)
        return client

    yield build
    for client in opened:
        await client.aclose()


def always(response: httpx.Response) -> Handler:
    return lambda _: httpx.Response(
        response.status_code, headers=response.headers, content=response.content
    )


async def test_a_redirect_is_not_followed_and_costs_the_assurance(make: Make) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://evil.example/"})

    with pytest.raises(PermanentError) as caught:
        await make(handler).link_types()
    assert caught.value.code == "redirected"
    assert asked == ["left.example"]


async def test_the_path_of_the_base_url_stays(make: Make) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://left.example/jira/rest/api/3/issueLinkType"
        assert request.headers["Authorization"].startswith("Basic ")
        return httpx.Response(200, json={"issueLinkTypes": []})

    assert await make(handler).link_types() == []


async def test_a_huge_body_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "BODY_LIMIT", 1000)
    client = make(always(httpx.Response(200, content=b" " * 1001)))
    with pytest.raises(TransientError) as caught:
        await client.link_types()
    assert (caught.value.code, caught.value.detail) == ("bad_answer", "body too large")


async def test_broken_compression_is_a_bad_answer(make: Make) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        stream = httpx.ByteStream(b"not gzip")
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)

    with pytest.raises(TransientError) as caught:
        await make(handler).link_types()
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("deployment", ["cloud", "datacenter"])
@pytest.mark.parametrize(
    ("headers", "at"), [(DATE, NOW), ({}, NO_DATE), ({"Date": "today"}, NO_DATE)]
)
async def test_the_time_of_a_reading(
    make: Make, deployment: str, headers: dict[str, str], at: datetime
) -> None:
    client = make(always(httpx.Response(200, json=EMPTY, headers=headers)), deployment)
    assert (await client.read_issues([IssueId("11")])).at == at


@pytest.mark.parametrize("page", [{}, {"issues": None}, [], {"issues": [], "issueErrors": 1}])
@pytest.mark.parametrize("deployment", ["cloud", "datacenter"])
async def test_an_answer_without_issues_is_no_answer(
    make: Make, deployment: str, page: object
) -> None:
    client = make(always(httpx.Response(200, json=page)), deployment)
    with pytest.raises(TransientError) as caught:
        await client.read_issues([IssueId("11")])
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize(
    "page",
    [
        {"issues": [], "isLast": False},
        {"issues": [], "isLast": False, "nextPageToken": ""},
        {"issues": [], "isLast": False, "nextPageToken": "same"},
    ],
)
async def test_a_page_without_a_successor_must_be_the_last(make: Make, page: object) -> None:
    client = make(always(httpx.Response(200, json=page)))
    with pytest.raises(TransientError):
        [page async for page in client.search_issues([ProjectKey("A")])]


async def test_a_data_center_page_must_reach_the_total(make: Make) -> None:
    client = make(always(httpx.Response(200, json={"issues": [], "total": 1})), "datacenter")
    with pytest.raises(TransientError):
        await client.read_issues([IssueId("11")])


async def test_a_404_that_is_not_jiras_proves_nothing(make: Make) -> None:
    page = httpx.Response(404, content=b"<html>no route</html>")
    with pytest.raises(TransientError):
        await make(always(page)).get_link(LinkId("1"))


async def test_a_link_under_another_id_is_a_bad_answer(make: Make) -> None:
    ref = {"id": "11", "key": "A-1"}
    link = {"id": "2", "type": {"id": "7"}, "inwardIssue": ref, "outwardIssue": ref}
    with pytest.raises(TransientError):
        await make(always(httpx.Response(200, json=link))).get_link(LinkId("1"))


async def test_a_write_as_nobody_may_have_acted(make: Make) -> None:
    headers = {"X-AUSERNAME": "anonymous"}
    client = make(always(httpx.Response(201, headers=headers)), "datacenter")
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_link(TypeId("7"), ENDS.source, ENDS.destination)
    assert caught.value.code == "anonymous"


@pytest.mark.parametrize(
    ("deployment", "reason", "scopes"),
    [
        ("cloud", "jira-burst-based", ["endpoint:issue_link:DELETE"]),
        ("cloud", "jira-per-issue-on-write", ["issue:11", "issue:12"]),
        ("cloud", "jira-quota-global-based", ["site"]),
        ("cloud", "jira-quota-tenant-based", ["site"]),
        ("cloud", "something-new", ["endpoint:issue_link:DELETE"]),
        ("cloud", None, ["endpoint:issue_link:DELETE"]),
        ("datacenter", None, ["site"]),
    ],
)
async def test_only_what_429_names_is_paused(
    make: Make, deployment: str, reason: str | None, scopes: list[str]
) -> None:
    headers = {"Retry-After": "7"} | ({"RateLimit-Reason": reason} if reason else {})
    budget = RecordingBudget()
    client = make(always(httpx.Response(429, headers=headers)), deployment, budget=budget)
    with pytest.raises(NotSent) as caught:
        await client.delete_link(LinkId("1"), ends=ENDS, bulk=True)
    assert budget.taken == [("issue_link", "DELETE", (ENDS.source, ENDS.destination), True)]
    assert budget.paused == [(scope, 7.0) for scope in scopes]
    assert caught.value.retry_after == 7


async def test_a_refused_endpoint_is_slower_for_a_while_and_a_refused_issue_is_not(
    make: Make,
) -> None:
    budget = RecordingBudget()
    headers = {"Retry-After": "7", "RateLimit-Reason": "jira-per-issue-on-write"}
    hot = make(always(httpx.Response(429, headers=headers)), budget=budget)
    with pytest.raises(NotSent):
        await hot.delete_link(LinkId("1"), ends=ENDS)
    assert budget.halved == []
    client = make(always(httpx.Response(429, headers={"Retry-After": "7"})), budget=budget)
    with pytest.raises(NotSent):
        await client.link_types()
    assert budget.halved == [7.0]


async def test_429_that_says_nothing_pauses_longer_each_time(make: Make) -> None:
    """A gateway's: neither Retry-After nor JSON. Answers of one pause count once."""
    now, status = NOW, 429

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"issueLinkTypes": []})

    budget = RecordingBudget()
    client = make(handler, budget=budget, now=lambda: now)
    for _ in range(12):
        for _ in range(3):
            with pytest.raises(NotSent):
                await client.link_types()
        now += timedelta(minutes=2)
    pauses = [seconds for _, seconds in budget.paused]
    assert pauses[:3] == [pytest.approx(pauses[0], abs=1e-3)] * 3, (
        "what was on its way together counts once"
    )
    grown = pauses[::3]
    assert 1.5 <= grown[0] <= 2.5
    assert grown[0] < grown[1] < grown[2] < grown[3]
    assert all(45 <= seconds <= 75 for seconds in grown[6:])
    assert len(set(grown[6:])) > 1, "with chance"
    status = 200
    await client.link_types()
    status = 429
    with pytest.raises(NotSent):
        await client.link_types()
    assert budget.paused[-1][1] <= 2.5, "an answer ends the growth"


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0"},
        {"Retry-After": "0", "X-RateLimit-Reset": "2025-08-29T16:00Z"},
        {"X-Beta-RateLimit-Reset": "2025-08-29T15:59Z"},
    ],
)
async def test_429_that_names_no_time_ahead_does_not_say_for_how_long(
    make: Make, headers: dict[str, str]
) -> None:
    """Cloud sends whole minutes, often of a minute that is over."""
    budget = RecordingBudget()
    client = make(always(httpx.Response(429, headers=headers)), budget=budget, now=lambda: NOW)
    with pytest.raises(NotSent) as caught:
        await client.link_types()
    ((_, seconds),) = budget.paused
    assert 1.5 <= seconds <= 2.5
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("prefix", ["", "Beta-", "X-Beta-"])
async def test_names_of_a_trial_period_are_read(make: Make, prefix: str) -> None:
    budget = RecordingBudget()
    headers = {"Retry-After": "7", f"{prefix}RateLimit-Reason": "jira-quota-tenant-based"}
    with pytest.raises(NotSent):
        await make(always(httpx.Response(429, headers=headers)), budget=budget).link_types()
    assert budget.paused == [("site", 7.0)]
    near = {f"{prefix or 'X-'}RateLimit-NearLimit": "true"}
    page = httpx.Response(200, json={"issueLinkTypes": []}, headers=near)
    await make(always(page), budget=budget).link_types()
    assert budget.slowed == [("link_types", "GET")]


@pytest.mark.parametrize(
    ("deployment", "scope"), [("cloud", "endpoint:link_types:GET"), ("datacenter", "site")]
)
async def test_5xx_that_says_when_to_come_back_is_believed(
    make: Make, deployment: str, scope: str
) -> None:
    budget = RecordingBudget()
    page = httpx.Response(503, headers={"Retry-After": "40"})
    with pytest.raises(TransientError) as caught:
        await make(always(page), deployment, budget=budget).link_types()
    assert budget.paused == [(scope, 40.0)]
    assert caught.value.retry_after == 40
    assert budget.halved == [], "a failing server is no limit that was reached"


async def test_5xx_does_not_keep_a_site_away_for_an_hour(make: Make) -> None:
    budget = RecordingBudget()
    page = httpx.Response(503, headers={"Retry-After": "86400"})
    with pytest.raises(OutcomeUnknown) as caught:
        await make(always(page), budget=budget).delete_link(LinkId("1"), ends=ENDS)
    assert budget.paused == [("endpoint:issue_link:DELETE", 300.0)]
    assert caught.value.retry_after == 300


async def test_5xx_without_a_time_pauses_nothing(make: Make) -> None:
    budget = RecordingBudget()
    with pytest.raises(TransientError):
        await make(always(httpx.Response(502)), budget=budget).link_types()
    assert budget.paused == []


async def test_the_rate_of_a_site_is_asked_for(make: Make) -> None:
    budget = RecordingBudget()
    page = httpx.Response(200, json={"issueLinkTypes": []})
    client = make(always(page), budget=budget, site_rate=25.0)
    await client.link_types()
    assert budget.rates == [25.0]


async def test_near_a_limit_the_budget_is_told(make: Make) -> None:
    headers = {"X-RateLimit-NearLimit": "true"}
    budget = RecordingBudget()
    page = httpx.Response(200, json={"issueLinkTypes": []}, headers=headers)
    await make(always(page), budget=budget).link_types()
    assert budget.slowed == [("link_types", "GET")]
    assert budget.paused == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Fri, 29 Aug 2025 16:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 29 Aug 2025 15:00:00 GMT"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "0", "x-ratelimit-reset": "2025-08-29T16:01Z"}, 60.0),
        ({"retry-after": "0", "x-ratelimit-reset": "2025-08-29T16:00Z"}, None),
        ({"x-ratelimit-reset": "2025-08-29T15:59Z"}, None),
        ({"x-beta-ratelimit-reset": "2025-08-29T16:01Z"}, 60.0),
        ({"beta-retry-after": "7"}, 7.0),
        ({"retry-after": "99999999"}, LONGEST_RETRY_AFTER),
        ({"retry-after": "-1", "x-ratelimit-reset": "2025-08-29T16:01Z"}, 60.0),
        ({"x-ratelimit-reset": "2025-08-29T16:00:10"}, 10.0),
        ({"retry-after": "soon", "x-ratelimit-reset": "later"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Answer(429, headers, b""), NOW) == seconds


async def test_every_request_is_recorded_once(make: Make) -> None:
    records: list[CallRecord] = []
    headers = {"atl-traceid": "abc123", "Content-Type": "application/json"}
    page = httpx.Response(503, headers=headers)
    with pytest.raises(TransientError):
        await make(always(page), observe=records.append).link_types()
    (record,) = records
    assert (record.endpoint, record.method, record.status) == ("link_types", "GET", 503)
    assert (record.outcome, record.request_id) == ("server_error", "abc123")


async def test_what_was_never_answered_is_recorded_too(make: Make) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    records: list[CallRecord] = []
    with pytest.raises(OutcomeUnknown):
        await make(handler, observe=records.append).delete_link(LinkId("1"))
    assert [(record.status, record.outcome) for record in records] == [(None, "timeout")]
