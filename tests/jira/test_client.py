"""The client against sandbox sites of both flavours: what it reads, writes and proves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.authorship import authorship
from app.core.errors import (
    Anonymous,
    NotSent,
    OutcomeUnknown,
    PermanentError,
    ServerFailed,
    TransientError,
    TwinlinkError,
)
from app.core.links import AccountId, IssueId, IssueKey, Link, LinkId, ProjectKey, TypeId
from app.jira.client import BasicAuth, BearerAuth, CallRecord, JiraClient, WebhookRequest
from app.jira.http.options import Options
from app.jira.rates.budget import Grant
from app.sandbox import Fault, JiraSite, ManualClock, serve
from app.sandbox.people import person_on
from tests.jira.conftest import Connect, access
from tests.jira.http.test_transport import RecordingBudget
from tests.support.assured import assured


def id_of(site: JiraSite, key: str) -> IssueId:
    return IssueId(str(site.issue(key).id))


def type_id(site: JiraSite, name: str = "Blocks") -> TypeId:
    return TypeId(str(site.link_type(name).id))


async def test_links_read_the_same_from_both_ends(site: JiraSite, connect: Connect) -> None:
    made = person_on(site, "ann").link("A-1", "Blocks", "A-2")
    reading = await connect(site).read_issues([id_of(site, "A-1"), id_of(site, "A-2")])
    (from_source,) = reading.issues[id_of(site, "A-1")].links or ()
    (from_destination,) = reading.issues[id_of(site, "A-2")].links or ()
    assert from_source == from_destination
    assert from_source.id == str(made.id)
    assert (from_source.source.key, from_source.destination.key) == ("A-1", "A-2")
    assert await connect(site).get_link(from_source.id) == from_source


async def test_a_link_is_made_in_the_direction_that_was_asked_for(
    site: JiraSite, connect: Connect
) -> None:
    answer = await connect(site).create_link(type_id(site), id_of(site, "A-1"), id_of(site, "A-2"))
    assert answer.status == 201
    assert answer.at == datetime.fromtimestamp(site.now() // 1000, UTC)
    assert site.triples_of() == {("A-1", "Blocks", "A-2")}


async def test_a_location_is_taken_as_a_hint(datacenter: JiraSite, connect: Connect) -> None:
    datacenter.quirks.location_on_create = True
    answer = await connect(datacenter).create_link(
        type_id(datacenter), id_of(datacenter, "A-1"), id_of(datacenter, "A-2")
    )
    assert answer.location_id == str(next(iter(datacenter.links)))


async def test_a_link_is_deleted_once(site: JiraSite, connect: Connect) -> None:
    link = LinkId(str(person_on(site, "ann").link("A-1", "Blocks", "A-2").id))
    client = connect(site)
    assert (await client.delete_link(link)).status in {200, 204}
    assert site.triples_of() == set()
    assert (await client.delete_link(link)).status == 404
    assert await client.get_link(link) is None


async def test_link_types(site: JiraSite, connect: Connect) -> None:
    found = {kind.name: kind for kind in await connect(site).link_types()}
    blocks = found["Blocks"]
    assert (blocks.id, blocks.inward, blocks.outward) == (type_id(site), "is blocked by", "blocks")
    assert found["Relates"].symmetric


async def test_what_cannot_be_seen_is_unread_and_blinds_nobody(
    site: JiraSite, connect: Connect
) -> None:
    ann = person_on(site, "ann")
    hidden, deleted, archived = (id_of(site, key) for key in ("A-2", "A-3", "A-4"))
    ann.hide("A-2", "twinlink")
    ann.delete("A-3")
    ann.archive("A-4")
    visible = id_of(site, "A-1")
    reading = await connect(site).read_issues([hidden, deleted, archived, visible])
    assert visible in reading.issues
    assert reading.unread[hidden] == reading.unread[deleted] == "not_returned"
    assert archived not in reading.issues or reading.issues[archived].archived
    assert set(reading.issues) | set(reading.unread) == {hidden, deleted, archived, visible}


async def test_a_refused_search_is_split_until_the_culprit_is_alone(
    datacenter: JiraSite, connect: Connect
) -> None:
    """A Data Center that ignores `validateQuery` answers 400 as long as A-2 is named."""
    hidden = id_of(datacenter, "A-2")
    person_on(datacenter, "ann").hide("A-2", "twinlink")
    ids = [id_of(datacenter, f"A-{number}") for number in range(1, 6)]
    refusing = datacenter.faults.add(Fault("error_before", path="^/search$", status=400, times=2))
    reading = await connect(datacenter).read_issues(ids)
    assert refusing.hits == 2
    assert set(reading.issues) == set(ids) - {hidden}
    assert reading.unread == {hidden: "not_returned"}


async def test_issue_errors_are_told_from_silence(cloud: JiraSite, connect: Connect) -> None:
    first, second = id_of(cloud, "A-1"), id_of(cloud, "A-2")
    cloud.faults.add(Fault("issue_error", path="bulkfetch", issues=frozenset({first})))
    reading = await connect(cloud).read_issues([first, second])
    assert reading.unread == {first: "error"}
    assert set(reading.issues) == {second}


async def test_any_number_of_issues_is_read_in_hundreds(site: JiraSite, connect: Connect) -> None:
    ann = person_on(site, "ann")
    for number in range(205):
        ann.create("A", f"More {number}")
    calls: list[CallRecord] = []
    ids = [IssueId(str(number)) for number in site.issues]
    reading = await connect(site, observe=calls.append).read_issues(ids)
    assert set(reading.issues) == set(ids)
    assert len(calls) == 3


async def test_the_twin_field_is_read_as_text(site: JiraSite, connect: Connect) -> None:
    field = next(iter(site.custom_fields))
    person_on(site, "ann").edit("A-1", **{field: "B-7"})
    one, other = id_of(site, "A-1"), id_of(site, "A-2")
    reading = await connect(site).read_issues([one, other], field=field)
    assert reading.issues[one].field_text == "B-7"
    assert reading.issues[other].field_text is None


async def test_an_old_key_resolves_to_the_moved_issue(site: JiraSite, connect: Connect) -> None:
    person_on(site, "ann").move("A-2", "X")
    keys = [IssueKey(key) for key in ("A-1", "A-2", "A-99", "not a key", "X-1")]
    found = await connect(site).resolve_keys(keys)
    assert set(found) == {"A-1", "A-2", "X-1"}
    assert found[IssueKey("A-2")].ref.id == id_of(site, "A-2")
    assert found[IssueKey("A-2")].ref.key.startswith("X-")


async def test_a_search_yields_every_issue_with_its_links(site: JiraSite, connect: Connect) -> None:
    ann = person_on(site, "ann")
    for number in range(240):
        ann.create("A", f"More {number}")
    ann.link("A-1", "Blocks", "A-2")
    pages = [page async for page in connect(site).search_issues([ProjectKey("A")])]
    found = {view.ref.key: view for page in pages for view in page}
    assert len(found) == 245
    assert len(pages) == 3
    assert [link.destination.key for link in found[IssueKey("A-1")].links or ()] == ["A-2"]


async def test_a_search_for_recent_changes(site: JiraSite, connect: Connect) -> None:
    assert isinstance(site.clock, ManualClock)
    site.clock.tick(3600)
    person_on(site, "ann").edit("A-3", summary="changed")
    now = datetime.fromtimestamp(site.clock.now(), UTC)
    client = connect(site, now=lambda: now)
    since = now - timedelta(minutes=10)
    found = client.search_issues([ProjectKey("A")], updated_since=since)
    assert [view.ref.key async for page in found for view in page] == ["A-3"]


async def test_authorship_from_both_changelogs(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    ends = [id_of(site, "A-1"), id_of(site, "A-2")]
    before = await client.read_issues(ends)
    await client.create_link(type_id(site), *ends)
    person_on(site, "ann").link("A-1", "Relates", "A-2")
    after = await client.read_issues(ends, changelog=True)
    types, us = await client.link_types(), await client.myself()
    links = {link.type_id: link for link in after.issues[ends[0]].links or ()}

    def maker(link: Link) -> str:
        return authorship(after.issues, link, types, us, before.at)

    assert maker(links[type_id(site)]) == "ours"
    assert maker(links[type_id(site, "Relates")]) == "theirs"
    assert after.issues[ends[0]].changes_complete


async def test_a_long_changelog_is_known_to_be_cut(cloud: JiraSite, connect: Connect) -> None:
    ann = person_on(cloud, "ann")
    for number in range(45):
        ann.edit("A-1", summary=f"Version {number}")
    one = id_of(cloud, "A-1")
    reading = await connect(cloud).read_issues([one], changelog=True)
    assert not reading.issues[one].changes_complete
    assert (await connect(cloud).read_issues([one])).issues[one].changes is None


async def test_a_whole_changelog_comes_in_as_many_pages_as_it_has(
    site: JiraSite, connect: Connect
) -> None:
    ann, one = person_on(site, "ann"), id_of(site, "A-1")
    first = ann.link("A-1", "Blocks", "A-2")
    for number in range(230):
        ann.edit("A-1", summary=f"Version {number}")
    ann.unlink(first)
    changes = await connect(site).changelog(one)
    assert changes is not None
    assert [(it.added, it.target) for it in changes] == [(True, "A-2"), (False, "A-2")]
    pages = site.requests.count("GET", "/issue/{issue}/changelog")
    assert pages == (3 if site.flavour == "cloud" else 0)


async def test_the_changelog_of_an_issue_that_cannot_be_seen(
    site: JiraSite, connect: Connect
) -> None:
    person_on(site, "ann").hide("A-1", "twinlink")
    assert await connect(site).changelog(id_of(site, "A-1")) is None
    assert await connect(site).changelog(IssueId("999999")) is None


async def test_a_search_says_when_issues_were_updated(site: JiraSite, connect: Connect) -> None:
    async def updated() -> dict[str, str | None]:
        pages = connect(site).search_issues([ProjectKey("A")])
        return {view.ref.key: view.updated async for page in pages for view in page}

    before = await updated()
    assert isinstance(site.clock, ManualClock)
    site.clock.tick(5)
    person_on(site, "ann").edit("A-3", summary="changed")
    after = await updated()
    assert None not in after.values()
    assert {key for key in after if after[key] != before[key]} == {"A-3"}


async def test_the_assurance_is_asked_once_for_all_who_wait(
    site: JiraSite, connect: Connect
) -> None:
    calls: list[CallRecord] = []
    client = connect(site, observe=calls.append)
    assert not client.assured()
    answers = await asyncio.gather(*(client.assure() for _ in range(20)))
    assert len(set(answers)) == 1
    assert client.assured()
    assert sorted(call.endpoint for call in calls if call.endpoint == "myself") == ["myself"]


async def test_the_assurance_ends_after_a_minute(
    site: JiraSite, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 100.0
    monkeypatch.setattr("app.jira.identity_check.monotonic", lambda: passed)
    client = connect(site)
    first = await client.assure()
    passed += 59.9
    assert await client.assure() == first
    passed += 0.1
    assert not client.assured()
    assert await client.assure() > first


@pytest.mark.parametrize(
    ("pins", "code"),
    [
        ({"account_id": AccountId("somebody else")}, "account_changed"),
        ({"identity": "cloud:another"}, "identity_changed"),
        ({"identity": None}, "not_pinned"),
        ({"account_id": None}, "not_pinned"),
    ],
)
async def test_another_account_or_site_is_never_assured(
    site: JiraSite, connect: Connect, pins: dict[str, str | None], code: str
) -> None:
    client = connect(site, pins=pins)
    with pytest.raises(PermanentError) as caught:
        await client.assure()
    assert caught.value.code == code
    assert not client.assured()


async def test_one_answer_as_nobody_ends_the_assurance(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    await client.assure()
    site.faults.add(Fault("anonymous", times=1))
    with pytest.raises(Anonymous):
        await client.read_issues([id_of(site, "A-1")])
    assert not client.assured()
    await client.assure()
    assert client.assured()


async def test_a_drop_while_asking_discards_the_answer(site: JiraSite, connect: Connect) -> None:
    client = connect(site)

    async def meanwhile() -> None:
        site.faults.clear()
        site.faults.add(Fault("anonymous", path="issueLinkType", times=1))
        with pytest.raises(Anonymous):
            await client.link_types()

    site.faults.add(Fault("before", path="myself", times=1, action=meanwhile))
    await client.assure()
    assert not client.assured()


async def test_read_only_refuses_every_write(site: JiraSite, connect: Connect) -> None:
    calls: list[CallRecord] = []
    client = connect(site, read_only=lambda: True, observe=calls.append)
    ends = id_of(site, "A-1"), id_of(site, "A-2")
    writes = [
        client.create_link(type_id(site), *ends),
        client.delete_link(LinkId("1")),
        client.register_webhook(WebhookRequest("n", "https://twinlink.example", "secret")),
        client.remove_webhook("1"),
    ]
    for write in writes:
        with pytest.raises(PermanentError) as caught:
            await write
        assert caught.value.code == "read_only"
    assert calls == []


async def test_a_write_does_not_leave_too_late(site: JiraSite, connect: Connect) -> None:
    calls: list[CallRecord] = []
    client = connect(site, observe=calls.append)
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(NotSent) as caught:
        await client.delete_link(LinkId("1"), send_before=past)
    assert caught.value.code == "send_before_passed"
    assert calls == []


async def test_late_at_the_socket_it_does_not_leave(cloud: JiraSite) -> None:
    """It waited for a connection, or its process was stopped, after the first look at the clock."""
    start = datetime.now(UTC)
    looks = [start, start + timedelta(seconds=11)]

    def now() -> datetime:
        return looks.pop(0) if len(looks) > 1 else looks[0]

    async with serve(cloud) as (served,):
        late = assured(
            JiraClient(
                access(cloud, base_url=served.base_url), Options(allow_private=True, now=now)
            )
        )
        with pytest.raises(NotSent) as caught:
            await late.create_link(
                TypeId("1"), IssueId("2"), IssueId("3"), send_before=start + timedelta(seconds=10)
            )
        await late.aclose()
    assert caught.value.code == "send_before_passed"
    assert len(cloud.requests) == 0


@pytest.mark.parametrize(
    ("behind", "taken", "moved"), [(-0.05, 1, []), (0.06, 1, [0.04]), (0.3, 2, [None, 0.28])]
)
async def test_a_request_that_leaves_late_moves_its_turn_or_takes_another(
    cloud: JiraSite, behind: float, taken: int, moved: list[float | None]
) -> None:
    """It may have waited for a connection: what Jira counts begins at the socket."""
    budget = RecordingBudget()
    budget.behind = behind
    async with serve(cloud) as (served,):
        site = access(cloud, base_url=served.base_url)
        client = assured(JiraClient(site, Options(budget=budget, allow_private=True)))
        await client.link_types()
        await client.aclose()
    assert len(budget.taken) == taken
    assert [late and round(late, 6) for late in budget.late] == moved


async def test_a_write_whose_other_turn_comes_too_late_does_not_leave(cloud: JiraSite) -> None:
    class Slow(RecordingBudget):
        """Its first turn is over at the socket, and it gets no other."""

        async def take(self, *args: Any, **options: Any) -> Grant:
            if self.taken:
                await asyncio.Event().wait()
            return await super().take(*args, **options)

    budget = Slow()
    budget.behind = 0.3
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    async with serve(cloud) as (served,):
        site = access(cloud, base_url=served.base_url)
        client = assured(JiraClient(site, Options(budget=budget, allow_private=True)))
        with pytest.raises(NotSent) as caught:
            await client.delete_link(LinkId("1"), send_before=soon)
        await client.aclose()
    assert caught.value.code == "send_before_passed"
    assert len(cloud.requests) == 0


async def test_an_id_that_is_no_number_enters_no_path(site: JiraSite, connect: Connect) -> None:
    for odd in ("1/../2", "", "1?x", "é"):
        with pytest.raises(PermanentError):
            await connect(site).get_link(LinkId(odd))


async def test_refusals_of_a_creation(site: JiraSite, connect: Connect) -> None:
    client, ends = connect(site), (id_of(site, "A-1"), id_of(site, "A-2"))
    with pytest.raises(PermanentError) as unknown:
        await client.create_link(TypeId("999"), *ends)
    site.quirks.link_limit = 0
    with pytest.raises(PermanentError) as full:
        await client.create_link(type_id(site), *ends)
    itself = await client.create_link(type_id(site), ends[0], ends[0])
    assert unknown.value.code == "not_found_or_not_permitted"
    assert full.value.code == "link_limit"
    assert itself.status == 400


FAULTS = [
    (Fault("error_before", status=503), ServerFailed, OutcomeUnknown, "server_error"),
    (Fault("error_after", status=502), ServerFailed, OutcomeUnknown, "server_error"),
    (Fault("drop_before"), TransientError, OutcomeUnknown, "dropped"),
    (Fault("drop_after"), TransientError, OutcomeUnknown, "dropped"),
    (Fault("html"), TransientError, OutcomeUnknown, "bad_answer"),
    (Fault("rate_limited", retry_after=7), NotSent, NotSent, "rate_limited"),
    (Fault("rate_limited", headers="none"), NotSent, NotSent, "rate_limited"),
    # Once Jira has answered as to nobody, no write leaves before it knows us again.
    (Fault("unauthorized"), Anonymous, NotSent, "anonymous"),
]


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row[0].kind)
async def test_faults(
    site: JiraSite,
    connect: Connect,
    row: tuple[Fault, type[TwinlinkError], type[TwinlinkError], str],
) -> None:
    fault, read, write, code = row
    site.faults.add(fault)
    client, ends = assured(connect(site)), (id_of(site, "A-1"), id_of(site, "A-2"))
    with pytest.raises(TwinlinkError) as reading:
        await client.read_issues([ends[0]])
    with pytest.raises(TwinlinkError) as writing:
        await client.create_link(type_id(site), *ends)
    assert (type(reading.value), reading.value.code) == (read, code)
    assert (type(writing.value), writing.value.code) == (write, code)


async def test_429_says_how_long_and_why(cloud: JiraSite, connect: Connect) -> None:
    cloud.faults.add(Fault("rate_limited", retry_after=7, reason="jira-per-issue-on-write"))
    with pytest.raises(NotSent) as caught:
        await connect(cloud).read_issues([id_of(cloud, "A-1")])
    assert caught.value.retry_after == 7
    assert caught.value.facts["reason"] == "jira-per-issue-on-write"


async def test_a_cut_answer_is_no_answer(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("truncated"))
    with pytest.raises(TransientError) as caught:
        await connect(site).read_issues([id_of(site, "A-1")])
    assert caught.value.code == "bad_answer"


async def test_webhooks_of_the_site(site: JiraSite, connect: Connect) -> None:
    client = connect(site, "root")
    made = await client.register_webhook(
        WebhookRequest("Twinlink", "https://twinlink.example/webhooks/jira/left", "secret")
    )
    assert made.url == "https://twinlink.example/webhooks/jira/left"
    assert "issuelink_deleted" in made.events
    assert await client.list_webhooks() == [made]
    assert await client.remove_webhook(made.id)
    assert not await client.remove_webhook(made.id)


async def test_no_secret_and_no_text_of_an_issue_shows(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    auth = client.site.auth
    assert isinstance(auth, BasicAuth | BearerAuth)
    secret = auth.header.split()[1]
    assert auth.token not in repr(client.site)
    site.faults.add(Fault("error_before", status=418))
    with pytest.raises(PermanentError) as caught:
        await client.read_issues([id_of(site, "A-1")])
    shown = repr(caught.value) + str(caught.value)
    assert secret not in shown
    assert "upstream" not in shown


async def test_over_a_socket(site: JiraSite, on_the_air: JiraClient) -> None:
    ends = id_of(site, "A-1"), id_of(site, "A-2")
    assert (await on_the_air.create_link(type_id(site), *ends)).status == 201
    site.faults.add(Fault("drop_after", method="POST", path="issueLink", times=1))
    with pytest.raises(OutcomeUnknown) as dropped:
        await on_the_air.create_link(type_id(site), *reversed(ends))
    site.faults.add(Fault("late_commit", path="issueLink", times=1, seconds=60))
    with pytest.raises(OutcomeUnknown) as late:
        await on_the_air.create_link(type_id(site, "Relates"), *ends)
    assert (dropped.value.code, late.value.code) == ("dropped", "timeout")
    assert len(site.links) == 2
    assert late.value.at is not None


async def test_nobody_listens(site: JiraSite, connect: Connect) -> None:
    client = connect(site, pins={"base_url": "http://127.0.0.1:9"}, http=None, allow_private=True)
    for call in (client.link_types(), client.delete_link(LinkId("1"))):
        with pytest.raises(NotSent) as caught:
            await call
        assert caught.value.code == "unreachable"


@pytest.mark.parametrize(
    ("pins", "code"),
    [
        ({"account_id": AccountId("somebody else")}, "account_changed"),
        ({"identity": "cloud:another"}, "identity_changed"),
        ({"identity": None}, "not_pinned"),
    ],
)
async def test_no_write_leaves_without_the_assurance(
    site: JiraSite, connect: Connect, pins: dict[str, str | None], code: str
) -> None:
    """Whoever calls: no caller has asked for it here."""
    link = person_on(site, "ann").link("A-1", "Blocks", "A-2")
    client = connect(site, pins=pins)
    for write in (
        client.create_link(type_id(site), id_of(site, "A-2"), id_of(site, "A-3")),
        client.delete_link(LinkId(str(link.id))),
    ):
        with pytest.raises(NotSent) as caught:
            await write
        assert caught.value.code == code
    assert set(site.links) == {link.id}


@pytest.mark.parametrize("how", ["empty", "refused"])
async def test_a_jira_with_linking_switched_off_proves_nothing(
    site: JiraSite, connect: Connect, how: str
) -> None:
    """It answers 404 for every link, which is no proof that one is gone."""
    off = Fault("altered", "GET", "issueLinkType", change=lambda _: b'{"issueLinkTypes": []}')
    if how == "refused":
        off = Fault("error_before", "GET", "issueLinkType", status=404, words="linking disabled")
    site.faults.add(off)
    client = connect(site)
    with pytest.raises(PermanentError) as caught:
        await client.assure()
    assert caught.value.code == "linking_disabled"
    assert not client.assured()


async def test_a_shorter_changelog_replaces_no_longer_one(
    cloud: JiraSite, connect: Connect
) -> None:
    person = person_on(cloud, "ann")
    person.link("A-1", "Blocks", "A-2")
    odd: list[str] = []
    client = connect(cloud, odd=odd.append)
    view = (await client.read_issues([id_of(cloud, "A-1")], changelog=True)).issues[
        id_of(cloud, "A-1")
    ]
    whole = await client.whole_changelog(view)
    assert whole is not None
    assert (whole.changes, whole.changes_complete, odd) == (view.changes, True, [])
    cloud.faults.add(Fault("empty_changelog", "GET", "/changelog$"))
    shorter = await client.whole_changelog(view)
    assert shorter is not None
    assert (shorter.changes, shorter.changes_complete) == (view.changes, False)
    assert odd == ["changelog_shorter"]
