"""A Jira that went back in time: it hands out ids again that we know from before."""

from app.sandbox import Link
from app.sandbox.backup import back_up, restore
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
    """With what came before it at the ends of this link: six calls, all proofs included."""
    made = await duo.mirrored()
    calls = [len(station.jira.requests) for station in (duo.left, duo.right)]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
    after = [len(station.jira.requests) for station in (duo.left, duo.right)]
    assured = 2 * sum(
        station.jira.requests.count("GET", "/myself", since=since)
        for station, since in zip((duo.left, duo.right), calls, strict=True)
    )
    assert sum(after) - sum(calls) - assured <= 6
