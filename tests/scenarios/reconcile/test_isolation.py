"""Whatever breaks in a pass breaks for one pair, for its connection at most, and for no minute."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.core.errors import TransientError
from app.jira.client import JiraClient, Options, SiteAccess
from app.sandbox.outbox import signature
from app.store.queue import failed_pairs
from app.sync.reconcile import loop
from app.sync.runtime.context import Context
from app.sync.runtime.jira_clients import Sites
from tests.scenarios.conftest import Duo
from tests.support import mixed
from tests.support.breaking import BreakingDatabase, BreakingTransport, Plant, Planted
from tests.support.engine import LEASE, SECRET, Station

PARTS = 6  # for time alone: together they plant at everything
TOLD_ALWAYS = (1, 4)  # the others with the soak
KEYS = ("P-1", "P-2", "P-3", "P-4")


@pytest.fixture
async def third(duo: Duo) -> Station:
    """Another site, with a connection of its own to the same left site."""
    made = await duo.world.add_site("third", mixed.site("third", duo.world.clock))
    config = mixed.config(duo.left, made)
    connection = await duo.world.connect("left", "third", config)
    for key in KEYS:
        await duo.world.pair(connection, ("left", key), ("third", key))
    await duo.world.settle()
    return made


async def leased(duo: Duo) -> int:
    rows = await duo.world.rows(
        """SELECT 1 FROM work WHERE connection_id = ANY($1::bigint[])
           AND lease_until IS NOT NULL"""
    )
    return len(rows)


async def retry_failed(duo: Duo) -> None:
    """A refused write fails for good, until a person asks again."""
    shown = "SELECT * FROM work WHERE connection_id = ANY($1::bigint[]) AND failed_at IS NOT NULL"
    for row in await duo.world.rows(shown):
        async with duo.world.database.transaction() as conn:
            await failed_pairs.retry(conn, row["connection_id"], row["twin_id"], duo.world.now())
    await duo.world.settle()


def breaking(duo: Duo, plant: Plant) -> Context:
    """A worker whose store and whose calls to the sites break at the plant."""

    def build(access: SiteAccess) -> JiraClient:
        app = next(it.app for it in duo.world.stations.values() if it.id == access.id)
        http = BreakingTransport(httpx.ASGITransport(app=app), plant)
        return JiraClient(access, Options(now=duo.world.now), http=http)

    database = BreakingDatabase(duo.world.database, plant)
    return replace(duo.world.ctx, database=database, sites=Sites(duo.world._access, build))


async def deliver_edited(duo: Duo, edit: Callable[[dict[str, Any]], None]) -> None:
    """Hand what the left site sends to the inbox, edited and signed."""
    outbox = duo.left.jira.outbox
    for delivery in outbox.pop_due():
        body = json.loads(delivery.body)
        edit(body)
        raw = json.dumps(body).encode()
        headers = outbox.headers(delivery)
        await duo.world.inbox.receive(
            await duo.world.inbox.sender(duo.left.access.name),
            raw,
            signature=signature(SECRET, raw),
            identifier=headers.get("X-Atlassian-Webhook-Identifier"),
        )
        outbox.settle(delivery, 202)


def without_link_id(body: dict[str, Any]) -> None:
    if "issueLink" in body:
        del body["issueLink"]["id"]


async def test_a_link_event_without_an_id_is_an_ordinary_look(duo: Duo, third: Station) -> None:
    duo.ann.link("P-1", "Blocks", "P-2")
    await deliver_edited(duo, without_link_id)
    await duo.world.look()
    assert (len(duo.right.ours), len(third.ours)) == (1, 1)
    assert await leased(duo) == 0


async def test_a_removal_without_an_id_is_an_ordinary_look(duo: Duo, third: Station) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await deliver_edited(duo, without_link_id)
    await duo.world.look()
    assert (len(duo.right.ours), len(third.ours)) == (0, 0)
    assert await leased(duo) == 0


@pytest.mark.parametrize("error", [Planted, pytest.param(TransientError, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(it, marks=() if it in TOLD_ALWAYS else pytest.mark.soak)
        for it in range(1, 1 + PARTS)
    ],
)
async def test_whatever_raises_in_a_pass_is_settled_at_once(
    duo: Duo, third: Station, error: type[Exception], first: int
) -> None:
    """At each thing that a pass waits for, in turn. One link is made, one is removed."""
    ends, at = (("P-3", "Blocks", "P-4"), ("P-1", "Blocks", "P-2")), first
    left = duo.ann.link(*ends[0])
    await duo.world.settle()
    while True:
        duo.world.clock.tick(3 * 86400)  # nothing flaps, and the guard has room
        duo.ann.unlink(left)
        ends = ends[::-1]
        left = duo.ann.link(*ends[0])
        await duo.world.deliver()
        before = len(duo.right.jira.mutations), len(third.jira.mutations)
        plant = Plant(at, error)
        claims = at <= 2  # if the claim itself breaks, nothing is claimed
        ctx = breaking(duo, plant)
        try:
            with capture_logs():  # rendering every traceback would take minutes
                await loop.run_once(ctx, size=100, lease=LEASE)
        except error:
            assert claims, f"{plant.name} ended the pass"
        await ctx.sites.aclose()
        assert await leased(duo) == 0, f"{plant.name} left a lease"
        if not claims:
            acted = (
                len(duo.right.jira.mutations) > before[0],
                len(third.jira.mutations) > before[1],
            )
            assert any(acted), f"{plant.name} stopped both connections"
        await duo.world.settle()
        await retry_failed(duo)
        assert (len(duo.right.ours), len(third.ours)) == (1, 1), plant.name
        if not plant.name:
            break
        at += PARTS
    assert at > 50, "a pass waits for more"
