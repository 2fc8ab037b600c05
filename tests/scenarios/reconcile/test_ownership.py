"""Who made it: races with people, answers that prove nothing, authors that cannot be told."""

import pytest

from app.sandbox import Fault
from app.sync.writes import confirm
from tests.scenarios.conftest import Build, Duo
from tests.support.engine import ACCOUNT


def on_post(kind: str, **more: object) -> Fault:
    return Fault(kind, "POST", "^/issueLink$", times=1, **more)  # type: ignore[arg-type]


async def test_a_person_makes_the_very_same_link_before_our_post(duo: Duo) -> None:
    """Jira answers 201 to ours too, and the read-back shows one new link: theirs."""
    race = on_post("before", action=lambda: duo.bob.link("P-2", "Blocks", "P-3"))
    duo.right.jira.faults.add(race)
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    assert race.hits == 1
    assert await duo.world.states() == ["preexisting"]
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    assert duo.right.jira.mutations.select(actor=ACCOUNT) == []


async def test_beside_a_persons_equal_link_the_id_tells_ours(duo: Duo) -> None:
    """A symmetric type: theirs runs the other way round, and both changelogs read the same."""
    race = on_post("before", action=lambda: duo.bob.link("P-3", "Relates", "P-2"))
    duo.right.jira.faults.add(race)
    made = duo.ann.link("P-1", "Relates", "P-2")
    await duo.world.settle()
    assert len(duo.right.jira.links) == 2
    (row,) = await duo.world.ledger()
    assert (row["state"], row["authorship"]) == ("managed", "ours")
    assert row["right_link_id"] in duo.right.ours
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    assert not duo.right.ours


async def test_which_of_two_equal_links_was_taken_away_cannot_be_told(duo: Duo) -> None:
    """Ours stands beside a person's, a person removes a third: any of them might be ours."""
    made = await duo.mirrored("P-1", "Relates", "P-2")
    (row,) = await duo.world.ledger()
    duo.bob.link("P-3", "Relates", "P-2")
    duo.bob.unlink("P-3", "Relates", "P-2")
    duo.bob.link("P-3", "Relates", "P-2")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 2
    assert [it["link_id"] for it in await duo.world.held()] == [row["right_link_id"]]


async def test_replaced_between_post_and_read_back(duo: Duo) -> None:
    def replace() -> None:
        duo.bob.unlink("P-2", "Blocks", "P-3")
        duo.world.clock.tick(0.01)
        duo.bob.link("P-2", "Blocks", "P-3")

    duo.right.jira.faults.add(on_post("after", action=replace))
    made = duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.settle()
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    assert not duo.right.ours


async def test_an_author_that_cannot_be_told_is_held(duo: Duo) -> None:
    duo.right.jira.quirks.link_text = "(no words that we know) {key}"
    made = await duo.mirrored()
    (row,) = await duo.world.ledger()
    assert (row["state"], row["authorship"]) == ("managed", "unknown")
    duo.ann.unlink(made)
    await duo.world.settle()
    assert len(duo.right.jira.links) == 1
    (held,) = await duo.world.held()
    assert held["reason"] == "authorship_unknown"


async def test_an_author_is_asked_again_before_a_removal(duo: Duo) -> None:
    duo.right.jira.quirks.link_text = "(no words that we know) {key}"
    made = await duo.mirrored()
    for issue in duo.right.jira.issues.values():
        for history in issue.history:
            for item in history.items:
                if item.field == "Link":
                    wording = "blocks" if issue.key == "P-2" else "is blocked by"
                    item.after_text = f"This issue {wording} {item.after}"
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


@pytest.mark.parametrize("kind", ["error_after", "drop_after"])
async def test_a_create_that_acted_although_the_answer_was_lost(duo: Duo, kind: str) -> None:
    fault = on_post(kind)
    duo.right.jira.faults.add(fault)
    made = await duo.mirrored()
    assert fault.hits == 1
    assert len(duo.right.ours) == 1
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links


async def test_a_create_that_cannot_be_read_back_is_confirmed_later(duo: Duo) -> None:
    """Nothing may be concluded before the request has certainly ended."""
    faults = duo.right.jira.faults
    faults.add(on_post("drop_after"))
    reads = faults.add(Fault("error_before", "POST", "^/search$", skip=1, times=3))
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    await duo.world.look()
    assert reads.hits == 3
    (intent,) = await duo.world.rows(
        "SELECT * FROM intents WHERE connection_id = ANY($1::bigint[])"
    )
    assert intent["state"] == "open"
    duo.world.clock.set(intent["send_before"].timestamp() + 29)
    assert await confirm.run_once(duo.world.ctx) == 0
    duo.world.clock.tick(1)
    assert await confirm.run_once(duo.world.ctx) == 1
    assert (await duo.world.audit())[-1]["evidence"]["outcome"] == "confirmed_read_back_ours"
    await duo.world.settle()
    assert await duo.world.states() == ["managed"]
    assert len(duo.right.jira.links) == 1


async def test_a_remove_that_acted_although_the_answer_was_an_error(duo: Duo) -> None:
    made = await duo.mirrored()
    fault = duo.right.jira.faults.add(Fault("error_after", "DELETE", times=1))
    duo.ann.unlink(made)
    await duo.world.settle()
    assert fault.hits == 1
    assert await duo.world.ledger() == []
    last = (await duo.world.audit())[-1]
    assert (last["operation"], last["status"]) == ("remove", "applied")
    assert last["evidence"]["outcome"] == "confirmed_gone"


async def test_a_remove_that_never_arrived_is_done_again(duo: Duo) -> None:
    made = await duo.mirrored()
    duo.right.jira.faults.add(Fault("error_before", "DELETE", times=1))
    duo.ann.unlink(made)
    await duo.world.settle()
    assert not duo.right.jira.links
    statuses = [row["status"] for row in await duo.world.audit()]
    assert statuses[2:] == ["intended", "failed", "intended", "applied"]


async def test_a_mirror_replaced_right_before_the_delete_stays(duo: Duo) -> None:
    made = await duo.mirrored()

    def replace() -> None:
        duo.bob.unlink("P-2", "Blocks", "P-3")
        duo.bob.link("P-2", "Blocks", "P-3")

    race = Fault("before", "GET", "^/issueLink/", times=1, action=replace)
    duo.right.jira.faults.add(race)
    duo.ann.unlink(made)
    await duo.world.settle()
    assert race.hits == 1
    assert len(duo.right.jira.links) == 1
    assert not duo.right.ours


async def test_authors_are_asked_of_the_site_that_holds_the_link(build: Build) -> None:
    """With both directions one batch may hold removals on either site. Ids and keys of the
    sites are the same here, so an answer of the wrong one looks right."""
    duo = await build()
    for station in (duo.left, duo.right):
        station.jira.quirks.link_text = "(no words that we know) {key}"
    # Mirrors: P-2 blocks P-3 on the right, P-2 blocks P-4 ... on the left.
    one = duo.ann.link("P-1", "Blocks", "P-2")
    other = duo.bob.link("P-3", "Blocks", "P-1")
    await duo.world.settle()
    assert [row["authorship"] for row in await duo.world.ledger()] == ["unknown", "unknown"]
    (right,), (left,) = duo.right.ours, duo.left.ours
    # What the changelogs say from now on: the right mirror is ann's, the left one ours.
    _retell(duo, right, "bob", left=False)
    _retell(duo, left, ACCOUNT, left=True)
    duo.ann.unlink(one)
    duo.bob.unlink(other)
    await duo.world.settle()
    assert right in duo.right.jira.links, "theirs, by its own site"
    assert left not in duo.left.jira.links, "ours, by its own site"


def _retell(duo: Duo, link_id: int, author: str, *, left: bool) -> None:
    """Make the changelogs of a link's ends name *author*, in words that can be read."""
    jira = (duo.left if left else duo.right).jira
    link = jira.links[link_id]
    for end, target, wording in (
        (link.source, link.destination, "blocks"),
        (link.destination, link.source, "is blocked by"),
    ):
        key = jira.issues[target].key
        for history in jira.issues[end].history:
            for item in history.items:
                if item.field == "Link" and item.after == key:
                    item.after_text = f"This issue {wording} {key}"
                    history.author = author


async def test_a_link_that_changed_under_its_id_stays(duo: Duo) -> None:
    """The last look before the DELETE compares type, ends and direction, not the id alone."""
    made = await duo.mirrored()
    mirror = duo.mirror
    tests = int(duo.right.type("Tests").id)

    def change() -> None:
        mirror.type_id = tests

    race = Fault("before", "GET", "^/issueLink/", times=1, action=change)
    duo.right.jira.faults.add(race)
    duo.ann.unlink(made)
    await duo.world.settle()
    assert race.hits == 1
    assert set(duo.right.jira.links) == {mirror.id}
    assert duo.right.jira.mutations.select("removed") == []
