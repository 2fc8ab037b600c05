"""What goes wrong is tried again or shown, and never in anybody else's way."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.jira.client import JiraClient, SiteAccess
from app.jira.http.options import Options
from app.jira.rates.circuit import Admission, LocalCircuit, Rule
from app.sandbox import Fault
from app.store.queue import failed_pairs
from app.store.views import failures
from app.sync.look.snapshot import Look
from app.sync.reconcile import loop
from app.sync.reconcile.decided_writes import proposals_for
from app.sync.runtime.jira_clients import Sites
from tests.scenarios.conftest import Duo


async def work_of(duo: Duo, key: str) -> dict[str, Any]:
    rows = await duo.world.rows(
        f"""SELECT *, generation > done AS dirty FROM work
            WHERE connection_id = ANY($1::bigint[]) AND twin_id = {duo.twins[key]}"""  # noqa: S608
    )
    return rows[0]


async def failed(duo: Duo) -> dict[int, str]:
    async with duo.world.database.connection() as conn:
        rows = await failures.page(conn, within=None, connection=None, after=0, limit=100)
    return {row.id: row.failure for row in rows if row.connection_id == duo.connection}


async def retry(duo: Duo, key: str) -> bool:
    async with duo.world.database.transaction() as conn:
        return await failed_pairs.retry(conn, duo.connection, duo.twins[key], duo.world.now())


# Transient


@pytest.mark.parametrize("kind", ["error_before", "drop_before", "rate_limited", "truncated"])
async def test_what_passes_is_waited_for_and_no_try_is_counted(duo: Duo, kind: Any) -> None:
    fault = duo.right.jira.faults.add(Fault(kind, "POST", "^/search", times=6))
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert fault.hits == 6
    assert len(duo.right.ours) == 1
    assert await failed(duo) == {}
    assert (await work_of(duo, "P-1"))["tries"] == 0


async def test_what_was_read_together_is_put_off_in_two_halves(duo: Duo) -> None:
    """A page of a resync that met an error is two bulk reads more, not a hundred."""
    await duo.world.settle()
    await duo.world.resync()
    fault = duo.right.jira.faults.add(Fault("drop_before", times=1))
    assert await duo.world.look() == len(duo.twins) == 4
    assert fault.hits == 1
    due = Counter([(await work_of(duo, key))["due_at"] for key in duo.twins])
    assert list(due.values()) == [2, 2]


async def test_tries_thin_out_while_a_site_is_away(duo: Duo) -> None:
    fault = duo.right.jira.faults.add(Fault("error_before"))
    duo.ann.link("P-1", "Blocks", "P-2")
    began = duo.world.clock.now()
    while duo.world.clock.now() < began + 3600:
        await duo.world.deliver()
        await duo.world.look()
        due = await duo.world.next_due()
        assert due is not None, "it is never given up"
        duo.world.clock.set(due + 0.001)
    assert fault.hits < 400, "about two tries a minute, of two pairs"
    duo.right.jira.faults.clear()
    await duo.world.settle()
    assert len(duo.right.ours) == 1


# Circuit


class OpensAtAWrite(LocalCircuit):
    """Fails when the first write asks to leave, and never before."""

    opened = False

    async def admit(self, site: int, *, write: bool) -> Admission:
        while write and not self.opened:
            self.hear(site, "failed", probe=False)
            self.opened = self.left(site) > 0
        return await super().admit(site, write=write)


def use(duo: Duo, circuit: LocalCircuit) -> None:
    """Give every client of this world this one circuit."""
    duo.world.circuit = circuit
    sites = Sites(duo.world._access, duo.world._client)
    duo.world.sites = sites
    duo.world.ctx = replace(duo.world.ctx, sites=sites, circuit=circuit)


async def test_an_open_circuit_puts_off_and_counts_no_try(duo: Duo) -> None:
    rule = Rule(least=5, first=300.0, longest=300.0)
    circuit = LocalCircuit(rule, clock=duo.world.clock.now)
    use(duo, circuit)
    fault = duo.right.jira.faults.add(Fault("error_before"))
    for key in ("P-2", "P-3", "P-4"):
        duo.ann.link("P-1", "Blocks", key)
    await duo.world.deliver()
    while True:
        await duo.world.look()
        if circuit.left(duo.right.id):
            break
        due = await duo.world.next_due()
        assert due is not None
        duo.world.clock.set(due + 0.001)
    hits = fault.hits
    assert hits == 5
    await duo.world.look()
    rows = await duo.world.rows("SELECT * FROM work WHERE connection_id = ANY($1::bigint[])")
    dirty = [row for row in rows if row["generation"] > row["done"]]
    assert dirty
    assert {row["tries"] for row in dirty} == {0}
    assert fault.hits == hits, "nobody asks a site whose circuit is open"
    assert await failed(duo) == {}
    duo.right.jira.faults.clear()
    await duo.world.settle()
    assert len(duo.right.ours) == 3
    assert (await circuit.view(duo.right.id)).state == "closed"


async def test_a_circuit_that_opens_between_intent_and_write(duo: Duo) -> None:
    """The write is not sent, its intent is closed, and it is made once the site is back."""
    use(duo, OpensAtAWrite(Rule(least=3, first=30.0), clock=duo.world.clock.now))
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    assert duo.right.jira.requests.count("POST", "/issueLink") == 0
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert [it["status"] for it in await duo.world.audit()] == [
        "intended", "failed", "intended", "applied"
    ]  # fmt: skip


# Permanent


async def test_a_refusal_is_shown_with_its_reason_and_alone(duo: Duo) -> None:
    """P-1's link cannot be made; the one between P-3 and P-4 can."""
    refused = refusing(duo, "P-1", 413)
    duo.ann.link("P-1", "Blocks", "P-2")
    duo.ann.link("P-3", "Blocks", "P-4")
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert set((await failed(duo)).values()) == {"link_limit"}
    asked = len(refused)
    await duo.world.settle()
    assert len(refused) == asked, "it rests"


async def test_a_failure_is_tried_again_on_request(duo: Duo) -> None:
    refusing(duo, "P-1", 413)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    shown = await failed(duo)
    healed(duo)
    for key, twin in duo.twins.items():
        assert await retry(duo, key) == (twin in shown)
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert await failed(duo) == {}


async def test_a_dismissed_failure_stays_so_until_its_pair_has_ended_well(duo: Duo) -> None:
    refusing(duo, "P-1", 413)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    async with duo.world.database.transaction() as conn:
        for twin in await failed(duo):
            assert await failed_pairs.dismiss(
                conn, duo.connection, twin, reason="known", by="eva", now=duo.world.now()
            )
    assert await failed(duo) == {}
    duo.ann.link("P-1", "Relates", "P-2")
    await duo.world.settle()
    assert await failed(duo) == {}, "the same cause"
    healed(duo)
    last = duo.ann.link("P-1", "Blocks", "P-3")
    await duo.world.settle()
    assert len(duo.right.ours) == 3
    duo.ann.unlink(last)
    await duo.world.settle()
    refusing(duo, "P-1", 413)
    duo.ann.link("P-1", "Relates", "P-3")
    await duo.world.settle()
    assert set((await failed(duo)).values()) == {"link_limit"}


async def test_a_failure_is_tried_again_on_change(duo: Duo) -> None:
    refusing(duo, "P-1", 413)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert await failed(duo)
    healed(duo)
    duo.ann.link("P-1", "Relates", "P-2")
    await duo.world.settle()
    assert len(duo.right.ours) == 2
    assert await failed(duo) == {}


class Refusing(httpx.AsyncBaseTransport):
    """Answers a status wherever a request to the right names this issue, else as the site does."""

    def __init__(self, inner: httpx.AsyncBaseTransport, issue: str, status: int) -> None:
        self._inner = inner
        self._issue = issue
        self._status = status
        self.path = ""
        self.refused: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if self.path in request.url.path and self._issue.encode() in body:
            self.refused.append(request.url.path)
            return httpx.Response(self._status, json={"errorMessages": []})
        return await self._inner.handle_async_request(request)


def through(duo: Duo, wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]) -> None:
    """From now on calls to the right site go through what *wrap* makes."""

    def build(access: SiteAccess) -> JiraClient:
        app = next(it.app for it in duo.world.stations.values() if it.id == access.id)
        http: httpx.AsyncBaseTransport = httpx.ASGITransport(app=app)
        if access.id == duo.right.id:
            http = wrap(http)
        return JiraClient(access, Options(now=duo.world.now), http=http)

    sites = Sites(duo.world._access, build)
    duo.world.sites = sites
    duo.world.ctx = replace(duo.world.ctx, sites=sites)


def refusing(duo: Duo, left_key: str, status: int, path: str = "/issueLink") -> list[str]:
    """Creates with the twin of that left issue are refused; answers their log."""
    twin = {"P-1": "P-2", "P-4": "P-4"}[left_key]
    issue = f'"{duo.right.ref(twin).id}"'
    log: list[str] = []

    def wrap(http: httpx.AsyncBaseTransport) -> Refusing:
        made = Refusing(http, issue, status)
        made.path, made.refused = path, log
        return made

    through(duo, wrap)
    return log


def healed(duo: Duo) -> None:
    through(duo, lambda http: http)


async def test_an_issue_that_breaks_jira_blocks_no_other(duo: Duo) -> None:
    """Every search that names P-4's twin answers 500, also for the others it asks about."""
    twin = duo.right.ref("P-4").id

    def wrap(http: httpx.AsyncBaseTransport) -> Refusing:
        made = Refusing(http, twin, 500)
        made.path = "/search"
        return made

    through(duo, wrap)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.resync()
    assert await duo.world.look() == 4
    assert len(duo.right.ours) == 1, "the others of its claim are done at once"
    for _ in range(60):
        await duo.world.deliver()
        await duo.world.look()
        if (due := await duo.world.next_due()) is None:
            break
        duo.world.clock.set(due + 0.001)
    assert len(duo.right.ours) == 1
    assert (await work_of(duo, "P-4"))["dirty"]
    assert not (await work_of(duo, "P-1"))["dirty"]
    assert await failed(duo) == {duo.twins["P-4"]: "server_error"}
    healed(duo)
    assert await retry(duo, "P-4")
    await duo.world.settle()
    assert await failed(duo) == {}


async def test_a_site_that_does_not_let_us_in_is_waited_for(duo: Duo) -> None:
    duo.right.jira.faults.add(Fault("unauthorized"))
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    row = await work_of(duo, "P-1")
    assert row["waiting"].startswith("site:")
    assert (row["tries"], row["failed_at"]) == (0, None)
    duo.right.jira.faults.clear()
    await duo.world.settle()
    assert len(duo.right.ours) == 1


# Poison


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Looks at these twins break our code."""
    twins: list[int] = []
    sound = proposals_for

    async def breaks(ctx: Any, look: Look, decisions: Any) -> Any:
        if any(twin.id in twins for twin in look.claimed_twins()):
            raise ZeroDivisionError
        return await sound(ctx, look, decisions)

    monkeypatch.setattr(loop, "proposals_for", breaks)
    return twins


@pytest.mark.slow
async def test_a_poison_pair_stops_after_its_tries_and_is_shown(
    duo: Duo, poison: list[int]
) -> None:
    poison.append(duo.twins["P-4"])
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.resync()
    await duo.world.settle()
    assert len(duo.right.ours) == 1, "the others of its claim are done"
    assert await failed(duo) == {duo.twins["P-4"]: "internal"}
    assert (await work_of(duo, "P-4"))["tries"] == 0
    assert await duo.world.look() == 0, "it rests"


async def test_what_broke_once_is_tried_again(duo: Duo, poison: list[int]) -> None:
    poison.append(duo.twins["P-1"])
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    assert (await work_of(duo, "P-1"))["tries"] == 1
    poison.clear()
    await duo.world.settle()
    assert await failed(duo) == {}
    assert len(duo.right.ours) == 1


@pytest.mark.slow
async def test_a_poison_pair_is_tried_again_on_request(duo: Duo, poison: list[int]) -> None:
    poison.append(duo.twins["P-4"])
    duo.ann.link("P-4", "Blocks", "P-2")
    await duo.world.settle()
    assert duo.twins["P-4"] in await failed(duo)
    poison.clear()
    assert await retry(duo, "P-4")
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert await failed(duo) == {}
