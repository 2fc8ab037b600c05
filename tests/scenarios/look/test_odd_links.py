"""What real sites hold beside ordinary links: the very same link twice, two types between the same
issues, hubs, clones. Each with our mirror on a Data Center and on a Cloud site."""

import pytest

from app.sandbox import Fault, Link
from app.sandbox.people import person_on
from tests.scenarios.conftest import TWINS, Build, Duo
from tests.support.engine import ACCOUNT, Station


class Sides:
    """One duo, seen from the side on which people work (`here`) or from the other (`there`)."""

    def __init__(self, duo: Duo, mirror_on: str) -> None:
        self.duo = duo
        self.turned = mirror_on == "cloud"
        self.here, self.there = (duo.right, duo.left) if self.turned else (duo.left, duo.right)
        twins = TWINS.items()
        self.keys = {right: left for left, right in twins} if self.turned else dict(twins)

    def link(self, source: str, kind: str, to: str) -> Link:
        return self.here.person("ann").link(source, kind, to)

    def mirrored(self, source: str, kind: str, to: str) -> bool:
        """Relates has no direction: it stands one way or the other."""
        source, to = self.keys[source], self.keys[to]
        ways = {(source, kind, to)} | ({(to, kind, source)} if kind == "Relates" else set())
        return not ways.isdisjoint(self.there.jira.triples_of())

    @property
    def mirrors(self) -> list[int]:
        return sorted(self.there.ours)

    async def settle(self) -> None:
        await self.duo.world.settle()


@pytest.fixture(params=["datacenter", "cloud"])
async def sides(request: pytest.FixtureRequest, build: Build) -> Sides:
    made = Sides(await build(), request.param)
    assert made.there.jira.flavour == request.param
    return made


async def test_the_same_origin_twice_has_one_mirror_until_both_are_gone(sides: Sides) -> None:
    ann = sides.here.person("ann")
    first = ann.link("P-1", "Blocks", "P-2")
    second = ann.link_again(first)
    await sides.settle()
    assert len(sides.mirrors) == 1

    ann.unlink(first)
    await sides.settle()
    assert len(sides.mirrors) == 1, "the other one stands"

    ann.unlink(second)
    await sides.settle()
    assert sides.mirrors == []
    assert not sides.there.jira.links


async def test_beside_our_mirror_a_person_makes_the_same_once_more(sides: Sides) -> None:
    """Ours goes by its id when the origin goes, and the other stays."""
    origin = sides.link("P-1", "Blocks", "P-2")
    await sides.settle()
    (ours,) = sides.mirrors
    theirs = sides.there.person("bob").link_again(sides.there.jira.links[ours])
    await sides.settle()
    sides.here.person("ann").unlink(origin)
    await sides.settle()
    assert set(sides.there.jira.links) == {theirs.id}
    assert [it.link_id for it in sides.there.jira.mutations.select("removed", ACCOUNT)] == [ours]


async def test_a_person_makes_the_same_right_before_us_and_jira_takes_both(sides: Sides) -> None:
    """Neither is known as ours then: whatever happens to the origin, theirs stays."""
    jira = sides.there.jira
    jira.quirks.same_link_twice = True
    ends = [jira.issue(sides.keys[key]).key for key in ("P-1", "P-2")]
    made: list[Link] = []
    jira.faults.add(
        Fault(
            "before", "POST", "^/issueLink$", times=1, account=ACCOUNT,
            action=lambda: made.append(sides.there.person("bob").link(ends[0], "Blocks", ends[1])),
        )
    )  # fmt: skip
    origin = sides.link("P-1", "Blocks", "P-2")
    await sides.settle()
    assert len(jira.links) == 2
    sides.here.person("ann").unlink(origin)
    await sides.settle()
    assert made[0].id in jira.links


async def test_two_types_between_the_same_issues_go_each_their_way(sides: Sides) -> None:
    ann = sides.here.person("ann")
    blocks, relates = ann.link("P-1", "Blocks", "P-2"), ann.link("P-1", "Relates", "P-2")
    await sides.settle()
    assert sides.mirrored("P-1", "Blocks", "P-2")
    assert sides.mirrored("P-1", "Relates", "P-2")
    ann.unlink(relates)
    await sides.settle()
    assert sides.mirrored("P-1", "Blocks", "P-2")
    assert len(sides.mirrors) == 1
    ann.unlink(blocks)
    await sides.settle()
    assert sides.mirrors == []


HUB = 240


async def test_a_hub_with_hundreds_of_links(build: Build) -> None:
    """Its changelog is cut off in every bulk answer; each mirror goes when its own origin goes."""
    for mirror_on in ("datacenter", "cloud"):
        duo = await build(issues=HUB + 1)
        here, there = (duo.left, duo.right) if mirror_on == "datacenter" else (duo.right, duo.left)
        assert there.jira.flavour == mirror_on
        await _linked_to_the_hub(duo, here)
        assert len(there.ours) == HUB
        gone = [it for it in here.jira.links.values() if _end(here, it) % 60 == 0]
        for link in gone:
            person_on(here.jira, "ann").unlink(link)
        await duo.world.settle()
        assert len(there.ours) == HUB - len(gone)
        assert {_end(there, there.jira.links[it]) for it in there.ours} == {
            _end(here, it) for it in here.jira.links.values()
        }


async def _linked_to_the_hub(duo: Duo, here: Station) -> None:
    ann = here.person("ann")
    for number in range(2, HUB + 2):
        ann.link("P-1", "Blocks", f"P-{number}")
    await duo.world.settle(passes=2000)


def _end(at: Station, link: Link) -> int:
    return int(at.jira.issues[link.destination].key.partition("-")[2])
