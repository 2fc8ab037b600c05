"""Writes of which nobody knows whether they acted: each way to fail, before and after it did."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.errors import TransientError
from app.core.links import AccountId
from app.core.own_accounts import Tenure
from app.jira.client import JiraClient
from app.jira.http.access import BearerAuth, SiteAccess
from app.jira.http.options import Options
from app.sandbox import Fault, token_of
from app.sandbox.faults import FaultKind
from app.store.config import active_connection, connections
from app.sync.incidents import watch
from app.sync.reconcile import loop
from app.sync.runtime.context import Context
from app.sync.runtime.jira_clients import Sites
from app.sync.writes import confirm
from tests.scenarios.conftest import Duo
from tests.support.engine import ACCOUNT, LEASE

POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")
# How it looks, the status where there is one, and whether Jira has acted.
WAYS: list[tuple[FaultKind, int, bool]] = [
    ("drop_before", 0, False),
    ("drop_after", 0, True),
    ("error_before", 500, False),
    ("error_after", 504, True),
    ("late_commit", 0, True),
]


async def open_intents(duo: Duo) -> list[dict[str, Any]]:
    return await duo.world.rows(
        "SELECT * FROM intents WHERE state = 'open' AND connection_id = ANY($1::bigint[])"
    )


async def fail(duo: Duo, request: tuple[str, str], kind: FaultKind, status: int) -> None:
    """One look at what was delivered, its request answered so. A write that hangs acts within
    its time: before anybody confirms it."""
    fault = Fault(kind, *request, times=1, status=status, seconds=15.0)
    duo.right.jira.faults.add(fault)
    await duo.world.deliver()
    await duo.world.look()
    assert fault.hits == 1
    if kind == "late_commit":
        assert len(await open_intents(duo)) == 1, "nothing shows it yet"
        await duo.world.clock.advance(15.0)
        await duo.right.app.settled()


async def outcomes(duo: Duo, operation: str) -> list[str]:
    return [
        row["evidence"]["outcome"]
        for row in await duo.world.audit()
        if row["operation"] == operation and row["status"] != "intended"
    ]


async def test_postgresql_goes_away_before_the_outcome_is_written(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is put off, which is no bug of ours, and is read and written later."""
    await unknown(duo)

    async def away(*_: object, **__: object) -> None:
        raise TransientError("database_unavailable", "ConnectionDoesNotExistError")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(confirm, "settle", away)
        assert await confirm.run_once(duo.world.ctx) == 0
    assert [it["event"] for it in logs if it["event"].startswith("confirm")] == ["confirm_put_off"]
    assert len(await open_intents(duo)) == 1
    await duo.world.settle()
    assert await open_intents(duo) == []
    assert await duo.world.states() == ["managed"]


@pytest.mark.parametrize(("kind", "status", "acted"), WAYS)
async def test_a_create(duo: Duo, kind: FaultKind, status: int, acted: bool) -> None:
    duo.ann.link("P-1", "Blocks", "P-2")
    await fail(duo, POST, kind, status)
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3")}
    assert len(duo.right.jira.mutations.select("created", ACCOUNT)) == 1, "never doubled"
    assert await duo.world.states() == ["managed"]
    found = await outcomes(duo, "create")
    assert ("confirmed_not_made" in found) != acted
    assert found[-1].endswith("read_back_ours")
    assert await open_intents(duo) == []


@pytest.mark.parametrize(("kind", "status", "acted"), WAYS)
async def test_a_removal(duo: Duo, kind: FaultKind, status: int, acted: bool) -> None:
    duo.ann.unlink(await duo.mirrored())
    await fail(duo, DELETE, kind, status)
    await duo.world.settle()
    assert not duo.right.jira.links
    assert len(duo.right.jira.mutations.select("removed", ACCOUNT)) == 1
    assert await duo.world.ledger() == []
    found = await outcomes(duo, "remove")
    assert found == (["confirmed_gone"] if acted else ["confirmed_still_there", "deleted"])
    assert await open_intents(duo) == []


def worker(duo: Duo, *, behind: float = 0.0, read_only: bool = False) -> Context:
    """Another process. What it sends comes *behind* seconds after it was decided."""

    def client(access: SiteAccess) -> JiraClient:
        app = next(it.app for it in duo.world.stations.values() if it.id == access.id)
        options = Options(
            now=lambda: duo.world.now() + timedelta(seconds=behind), read_only=lambda: read_only
        )
        return JiraClient(access, options, http=httpx.ASGITransport(app=app))

    async def access(site_id: int) -> SiteAccess:
        return next(it.access for it in duo.world.stations.values() if it.id == site_id)

    return replace(duo.world.ctx, sites=Sites(access, client))


@pytest.mark.parametrize("operation", ["create", "remove"])
async def test_a_worker_that_stopped_past_its_time_sends_nothing(duo: Duo, operation: str) -> None:
    """The intent is there, and its ten seconds are over: it ends unsent, and is tried anew."""
    if operation == "create":
        duo.ann.link("P-1", "Blocks", "P-2")
    else:
        duo.ann.unlink(await duo.mirrored())
    await duo.world.deliver()
    before = len(duo.right.jira.mutations)
    stopped = worker(duo, behind=11)
    assert (await loop.run_once(stopped, size=100, lease=LEASE)).claimed
    await stopped.sites.aclose()
    assert await outcomes(duo, operation) == ["send_before_passed"]
    sent = [f"{it.method} {it.endpoint}" for it in duo.right.jira.requests.entries]
    assert sent.count("POST /issueLink") == (0 if operation == "create" else 1)
    assert not sent.count("DELETE /issueLink/{id}")
    await duo.world.settle()
    assert len(duo.right.jira.mutations) == before + 1
    assert await open_intents(duo) == []


async def unknown(duo: Duo, *, acted: bool = True) -> dict[str, Any]:
    """A create of which nobody knows whether it acted, due to be confirmed."""
    duo.ann.link("P-1", "Blocks", "P-2")
    # Its read-back fails as well: else it would show at once.
    down = Fault("error_before", "POST", "^/search$", status=503)
    duo.right.jira.faults.add(
        Fault("after", *POST, times=1, action=lambda: duo.right.jira.faults.add(down)),
    )
    if not acted:
        duo.right.jira.faults.clear()
        duo.right.jira.faults.add(Fault("drop_before", *POST, times=1))
    await duo.world.deliver()
    await duo.world.look()
    duo.right.jira.faults.clear()
    [intent] = await open_intents(duo)
    duo.world.clock.set(intent["confirm_after"].timestamp() + 1)
    return intent


async def test_a_paused_connection_is_confirmed_all_the_same(duo: Duo) -> None:
    await unknown(duo)
    async with duo.world.database.transaction() as conn:
        await active_connection.lock(conn, duo.connection)
        await connections.set_paused(conn, duo.connection, at=duo.world.now(), by="ann")
    assert await confirm.run_once(duo.world.ctx) == 1
    assert await duo.world.states() == ["managed"]


async def test_a_process_that_may_not_write_confirms(duo: Duo) -> None:
    await unknown(duo)
    reader = worker(duo, read_only=True)
    assert await confirm.run_once(reader) == 1
    await reader.sites.aclose()
    assert await duo.world.states() == ["managed"]


async def test_what_cannot_be_read_stays_and_shows_its_age(duo: Duo) -> None:
    intent = await unknown(duo)
    down = duo.right.jira.faults.add(Fault("error_before", status=503))
    for _ in range(8):
        assert await confirm.run_once(duo.world.ctx) == 0
        duo.world.clock.tick(130)
    assert down.hits
    [still] = await open_intents(duo)
    assert still["unconfirmed_since"] is not None
    assert still["created_at"] == intent["created_at"]
    assert await watch.run_once(duo.world.ctx) == 1
    [told] = await duo.world.rows(
        "SELECT kind, facts FROM incidents WHERE connection_id = ANY($1::bigint[])"
    )
    assert (told["kind"], told["facts"]["writes"]) == ("write_unconfirmed", 1)
    duo.right.jira.faults.clear()
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]


@pytest.mark.parametrize("acted", [False, True])
async def test_a_create_whose_issue_is_deleted(duo: Duo, acted: bool) -> None:
    """Its link, made or not, is gone with it: nothing is left to be confirmed."""
    await unknown(duo, acted=acted)
    duo.right.person("root").delete("P-2")
    await duo.world.settle()
    assert await outcomes(duo, "create") == ["confirmed_issue_deleted"]
    assert await open_intents(duo) == []
    assert await duo.world.ledger() == []
    assert not duo.right.jira.links


async def lost_removal(duo: Duo) -> None:
    duo.ann.unlink(await duo.mirrored())
    await fail(duo, DELETE, "drop_before", 0)
    [intent] = await open_intents(duo)
    duo.world.clock.set(intent["confirm_after"].timestamp() + 1)


async def test_a_removal_whose_issue_is_deleted(duo: Duo) -> None:
    """Found gone, it counts as ours, as any: the changelog names nobody else."""
    await lost_removal(duo)
    duo.right.person("root").delete("P-2")
    await duo.world.settle()
    assert await outcomes(duo, "remove") == ["confirmed_gone"]
    assert await open_intents(duo) == []
    assert await duo.world.ledger() == []


async def test_a_removal_that_a_person_made_before_the_issue_was_deleted(duo: Duo) -> None:
    await lost_removal(duo)
    duo.bob.unlink(duo.mirror)
    duo.right.person("root").delete("P-2")
    await duo.world.settle()
    assert await outcomes(duo, "remove") == ["confirmed_removed_by_another"]
    assert await open_intents(duo) == []


async def test_a_removal_by_an_account_of_ours_that_changed_since(duo: Duo) -> None:
    """It acted, its answer was lost, and the site has other credentials when it is confirmed."""
    duo.ann.unlink(await duo.mirrored())
    await fail(duo, DELETE, "drop_after", 0)
    [intent] = await open_intents(duo)
    duo.world.clock.set(intent["confirm_after"].timestamp() + 1)
    jira, now = duo.right.jira, duo.world.now()
    jira.add_user("service")
    duo.right.access = replace(
        duo.right.access,
        auth=BearerAuth(token_of(jira, "service")),
        account_id=AccountId(jira.user("service").key),
        account_since=now,
        former_accounts=(Tenure(AccountId(jira.user(ACCOUNT).key), None, now),),
        version=2,
    )
    duo.world.ctx = duo.world.worker()
    await duo.world.settle()
    assert await outcomes(duo, "remove") == ["confirmed_gone"]


@pytest.mark.parametrize("gone", ["hidden", "deleted_untold"])
async def test_without_proof_of_the_deletion_it_stays_open(duo: Duo, gone: str) -> None:
    """404 is what a hidden issue answers too."""
    await unknown(duo)
    if gone == "hidden":
        duo.bob.hide("P-2", ACCOUNT)
    else:
        duo.right.person("root").delete("P-2")
        duo.right.jira.outbox.pop_due()
    for _ in range(6):
        await duo.world.deliver()
        assert await confirm.run_once(duo.world.ctx) == 0
        duo.world.clock.tick(200)
    assert len(await open_intents(duo)) == 1
    await watch.run_once(duo.world.ctx)
    kinds = await duo.world.rows(
        "SELECT kind FROM incidents WHERE connection_id = ANY($1::bigint[])"
    )
    assert {it["kind"] for it in kinds} == {"write_unconfirmed"}


async def test_a_deletion_that_is_told_of_and_not_so(duo: Duo) -> None:
    """Whatever a delivery says: an issue that answers is there."""
    await unknown(duo)
    duo.bob.hide("P-2", ACCOUNT)
    issue = duo.right.jira.issue("P-2")
    await duo.world.execute(
        """INSERT INTO inbox (site_id, delivery, kind, issue_id, received_at)
           VALUES ($1, 'told', 'issue_deleted', $2, $3)""",
        duo.right.id,
        issue.id,
        duo.world.now(),
    )
    duo.bob.hide("P-2", ACCOUNT, hidden=False)
    assert await confirm.run_once(duo.world.ctx) == 1
    assert await duo.world.states() == ["managed"]
