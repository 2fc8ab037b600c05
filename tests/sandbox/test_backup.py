"""A site that goes back in time."""

from app.sandbox import JiraSite, ManualClock
from app.sandbox.backup import back_up, restore
from app.sandbox.people import person_on


def test_ids_are_handed_out_again(site: JiraSite, clock: ManualClock) -> None:
    ann, bob = person_on(site, "ann"), person_on(site, "bob")
    kept = ann.link("A-1", "Blocks", "A-2")
    backup = back_up(site)
    lost = ann.link("A-2", "Blocks", "A-3")
    created = ann.create("A", "lost")
    clock.tick(3600)
    restore(site, backup)
    assert set(site.links) == {kept.id}
    assert site.find(created.key) is None
    again = bob.link("A-2", "Blocks", "A-3")
    assert (again.id, again.source, again.destination) == (lost.id, lost.source, lost.destination)
    other = bob.create("A", "another's")
    assert (other.id, other.key) == (created.id, created.key)
    assert [entry.author for entry in site.issue("A-3").history] == ["bob"]


def test_what_tests_measure_by_does_not_go_back(site: JiraSite) -> None:
    backup = back_up(site)
    person_on(site, "ann").link("A-1", "Blocks", "A-2")
    restore(site, backup)
    assert len(site.mutations.select("created", "ann")) == 1
    restore(site, backup)
    assert not site.links
