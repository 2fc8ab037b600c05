"""A Jira that went back in time: it hands out ids again that we know from before."""

from typing import Any

import pytest

from app.core.config import Mode
from app.sandbox import Link
from app.sandbox.backup import back_up, restore
from app.sync.connections.switches import Switches
from app.sync.guard import site_went_back
from app.sync.runtime.refusals import Refused
from tests.scenarios.conftest import Duo
from tests.support.engine import ACCOUNT


async def re_made_by_hand(duo: Duo) -> tuple[Link, Link]:
    """The origin, and what a person made in place of our mirror after the restore: it has our
    mirror's id, type and ends."""
    backup = back_up(duo.right.jira)
    made = await duo.mirrored()
    mirror = duo.mirror
    duo.world.clock.tick(3600)
    restore(duo.right.jira, backup)
    again = duo.bob.link("P-2", "Blocks", "P-3")
    assert again == Link(
        mirror.id, mirror.type_id, mirror.source, mirror.destination, again.created
    )
    return made, again


def removed_by_us(duo: Duo) -> list[int]:
    return [it.link_id for it in duo.right.jira.mutations.select("removed", ACCOUNT)]


async def test_a_link_that_a_person_made_with_the_id_of_our_mirror_stays(duo: Duo) -> None:
    made, again = await re_made_by_hand(duo)
    await duo.world.settle()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert again.id in duo.right.jira.links
    assert removed_by_us(duo) == []


async def test_it_stays_where_the_event_of_it_never_came(duo: Duo) -> None:
    made, again = await re_made_by_hand(duo)
    duo.right.jira.outbox.pop_due()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert again.id in duo.right.jira.links
    assert removed_by_us(duo) == []


async def test_our_own_link_is_removed_as_before(duo: Duo) -> None:
    """With what came before it at the ends of this link: six calls, all proofs included, beside
    the checks of the site: who we are, and that it shows link types."""
    made = await duo.mirrored()
    calls = [len(station.jira.requests) for station in (duo.left, duo.right)]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
    after = [len(station.jira.requests) for station in (duo.left, duo.right)]
    checks = sum(
        station.jira.requests.count("GET", endpoint, since=since)
        for station, since in zip((duo.left, duo.right), calls, strict=True)
        for endpoint in ("/myself", "/issueLinkType")
    )
    assert sum(after) - sum(calls) - checks <= 6


async def stopped(duo: Duo) -> dict[str, Any] | None:
    """The facts of the incident, where every connection of the site is paused and in review."""
    rows = await duo.world.rows(
        """SELECT c.paused_by, c.mode, i.facts FROM connections c
           LEFT JOIN incidents i ON i.kind = 'site_went_back' AND i.state <> 'resolved'
             AND i.site_id IN (c.left_site_id, c.right_site_id)
           WHERE c.id = ANY($1::bigint[])"""
    )
    (row,) = rows
    if row["facts"] is None:
        assert (row["paused_by"], row["mode"]) == (None, "live")
        return None
    assert (row["paused_by"], row["mode"]) == ("site_went_back", "review")
    facts: dict[str, Any] = row["facts"]
    return facts


async def test_what_shows_it_stops_the_site_until_a_person_resumes(duo: Duo) -> None:
    """And then nothing that the ledger believed of its mirrors is believed."""
    other = await duo.mirrored("P-3", "Relates", "P-4")
    backup = back_up(duo.right.jira)
    made = await duo.mirrored()
    duo.world.clock.tick(3600)
    restore(duo.right.jira, backup)
    again = duo.bob.link("P-2", "Blocks", "P-3")
    await duo.world.settle()
    assert await stopped(duo) is None
    duo.ann.unlink(made)
    await duo.world.settle()
    facts = await stopped(duo)
    assert facts is not None
    assert (facts["sign"], facts["links"]) == ("mirror_of_another", 2)
    assert {row["authorship"] for row in await duo.world.ledger()} == {"unknown"}
    duo.ann.link("P-2", "Blocks", "P-3")
    await duo.world.deliver()
    await duo.world.look()
    assert len(duo.right.jira.links) == 2, "paused: nothing is written"
    await resumed(duo)
    await duo.world.settle()
    assert await duo.world.held() == [], "theirs needs no decision"
    assert again.id in duo.right.jira.links
    assert removed_by_us(duo) == []
    # What is still ours is proven to be, by the changelog of now; in review it waits for a person.
    duo.ann.unlink(other)
    await duo.world.settle()
    assert len(await duo.world.held()) == 1


async def resumed(duo: Duo) -> None:
    await duo.world.execute("UPDATE connections SET paused_at = NULL, paused_by = NULL")


async def test_a_link_that_we_removed_is_back(duo: Duo) -> None:
    """Its id is believed again once a person has acknowledged it: no listing lags for ever."""
    backup_made = await duo.mirrored()
    backup = back_up(duo.right.jira)
    mirror = duo.mirror
    duo.ann.unlink(backup_made)
    await duo.world.settle()
    assert not duo.right.jira.links
    duo.world.clock.tick(3600)
    restore(duo.right.jira, backup)
    await duo.world.resync()
    await duo.world.settle()
    facts = await stopped(duo)
    assert facts is not None
    assert facts["sign"] == "removed_link_is_back"
    await resumed(duo)
    await duo.world.resync()
    await duo.world.settle()
    assert mirror.id in duo.right.jira.links
    assert await duo.world.unsettled() == []


async def test_no_connection_of_it_goes_live_before_that(duo: Duo) -> None:
    await site_went_back.stop(duo.world.ctx, duo.right.id, "mirror_of_another")
    await resumed(duo)

    async def compare(*_: Any, **__: Any) -> int:
        return 0

    switches = Switches(duo.world.database, compare, lambda: None)
    (row,) = await duo.world.rows("SELECT name FROM connections WHERE id = ANY($1::bigint[])")
    with pytest.raises(Refused) as refused:
        await switches.mode(row["name"], Mode.LIVE, by="tests", now=duo.world.now())
    assert refused.value.code == "site_went_back"
    await duo.world.execute("UPDATE incidents SET state = 'resolved', resolved_at = now()")
    assert (
        await switches.mode(row["name"], Mode.LIVE, by="tests", now=duo.world.now())
    ).mode is Mode.LIVE


async def test_ordinary_life_shows_no_sign(duo: Duo) -> None:
    """Removed, made anew by a person, with lagging listings and the reversed link beside it."""
    duo.right.jira.lag.links = 30
    for _ in range(2):
        made = await duo.mirrored("P-1", "Relates", "P-2")
        theirs = duo.bob.link("P-3", "Relates", "P-2")
        duo.ann.unlink(made)
        await duo.world.settle()
        duo.bob.unlink(theirs)
        duo.world.clock.tick(700)
        await duo.world.resync()
        await duo.world.settle()
    assert await stopped(duo) is None


@pytest.mark.parametrize("side", ["origin", "mirror"])
async def test_an_id_that_is_another_link_by_now_proves_that_ours_is_gone(
    duo: Duo, side: str
) -> None:
    """The backup has not got it, and the next link, between other issues, gets its id. A person is
    notified once; from then on the id proves that the link which had it is gone."""
    at = duo.left if side == "origin" else duo.right
    backup = back_up(at.jira)
    origin = await duo.mirrored()
    lost = origin.id if side == "origin" else duo.mirror.id
    restore(at.jira, backup)
    duo.world.clock.tick(3600)
    assert at.person().link("P-4", "Tests", "P-1").id == lost
    await duo.world.resync()
    await duo.world.settle()
    facts = await stopped(duo)
    assert facts is not None
    assert facts["sign"] == "link_id_of_another"
    assert await duo.world.states() == ["managed"]
    await resumed(duo)
    await duo.world.resync()
    await duo.world.settle()
    if side == "origin":
        assert len(await duo.world.held()) == 1, "its mirror goes, once a person has approved it"
    else:
        assert await duo.world.states() == ["detached"]
    assert lost in at.jira.links
    waiting = await duo.world.rows(
        "SELECT waiting FROM work WHERE connection_id = ANY($1::bigint[]) AND waiting IS NOT NULL"
    )
    assert waiting == []
