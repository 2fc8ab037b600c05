"""An origin site that was restored from a backup: newer links are gone, and no one removed them."""

from app.sandbox import Fault
from app.sandbox.backup import back_up, restore
from tests.scenarios.conftest import Duo
from tests.scenarios.guard.guarding import decide, removals, waits_for
from tests.support.mixed import ELSEWHERE

MIRROR = ("P-2", "Blocks", "P-3")


async def lost(duo: Duo) -> None:
    """The backup is older than the origin."""
    backup = back_up(duo.left.jira)
    await duo.mirrored()
    duo.world.clock.tick(3600)
    restore(duo.left.jira, backup)
    await duo.world.resync()
    await duo.world.settle()


async def test_the_mirror_stays_until_a_person_decides(duo: Duo) -> None:
    await lost(duo)
    assert removals(duo) == 0
    assert await waits_for(duo) == ["origin_removal_unseen"]
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 0
    assert len(await duo.world.held()) == 1, "held once"


async def test_what_a_person_approves_is_removed(duo: Duo) -> None:
    await lost(duo)
    await decide(duo, "approve")
    assert not duo.right.jira.links


async def test_an_approval_for_another_reason_does_not_say_this(duo: Duo) -> None:
    """Its owner read that the guard held it, not that no one is seen to have removed the origin."""
    await lost(duo)
    [plan] = await duo.world.held()
    await duo.world.execute(
        "UPDATE plan_changes SET reason = 'row_7' WHERE plan_id = $1", plan["plan_id"]
    )
    await decide(duo, "approve")
    assert MIRROR in duo.right.jira.triples_of()
    assert removals(duo) == 0


async def test_a_changelog_that_cannot_be_read_is_held_in_the_end(duo: Duo) -> None:
    """Other links of the pair go on meanwhile."""

    def cut(body: bytes) -> bytes:
        return body[: len(body) // 2] if b'"histories"' in body else body

    made = await duo.mirrored()
    duo.ann.unlink(made)
    duo.ann.link("P-1", "Relates", "P-2")
    duo.left.jira.faults.add(Fault("altered", "POST", "/issue/bulkfetch$", change=cut))
    await duo.world.settle()
    assert removals(duo) == 0
    assert await waits_for(duo) == ["origin_removal_unseen"]
    assert len(duo.right.ours) == 2, "the other link was made"


async def test_what_a_person_rejects_stays(duo: Duo) -> None:
    await lost(duo)
    await decide(duo, "reject")
    await duo.world.resync()
    await duo.world.settle()
    assert MIRROR in duo.right.jira.triples_of()
    assert await duo.world.states() == ["detached"]


async def test_the_origin_made_again_ends_it(duo: Duo) -> None:
    await lost(duo)
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.resync()
    await duo.world.settle()
    assert await waits_for(duo) == []
    assert await duo.world.states() == ["managed"]


async def test_an_older_removal_of_such_a_link_explains_nothing(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await duo.world.settle()
    duo.world.clock.tick(3600)
    before = removals(duo)
    await lost(duo)
    assert removals(duo) == before
    assert await waits_for(duo) == ["origin_removal_unseen"]


async def test_a_removal_is_known_by_the_key_of_its_day(duo: Duo) -> None:
    """Nobody looks before the other end has moved."""
    made = await duo.mirrored()
    duo.ann.unlink(made)
    duo.left.jira.outbox.pop_due()
    duo.left.person("root").move("P-2", ELSEWHERE)
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 0, "an end out of scope suspends it"


async def test_a_removal_that_no_event_told_is_read(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.ann.unlink(made)
    duo.left.jira.outbox.pop_due()
    await duo.world.resync()
    await duo.world.settle()
    assert removals(duo) == 1
