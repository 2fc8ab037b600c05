"""A test of the test: whatever goes wrong on the sites shows in the figures."""

from dataclasses import asdict
from typing import Any

from app.sandbox import JiraSite
from app.sandbox.people import person_on
from tests.soak.judgement import judge
from tests.soak.town import OTHER, People, Standing, town, unmanaged
from tests.support.twinsites import ACCOUNT, TwinSites

TWINS = 30
ENDS = ("B-1", "Blocks", "B-2")


def _figures(
    sites: TwinSites, before: dict[str, Standing], people: People, **more: Any
) -> dict[str, int]:
    """What is off."""
    known: dict[str, Any] = {"rows": [], "broken": 0, "inbox": set(), "given_up": 0} | more
    found = judge(sites, people, before, **known)
    assert found.off == [name for name, count in asdict(found).items() if count]
    return {name: count for name, count in asdict(found).items() if count}


def _row(status: str, link: int) -> dict[str, Any]:
    ends = {"source": {"key": ENDS[0]}, "destination": {"key": ENDS[2]}}
    return {
        "intent_id": "1",
        "site": "right",
        "operation": "create",
        "status": status,
        "link_id": str(link),
        **ends,
    }


def _ours(site: JiraSite) -> int:
    return person_on(site, ACCOUNT).link(*ENDS).id


async def test_each_fault_shows() -> None:
    async with town(TWINS, seed=1) as sites:
        right = sites.right.site
        before = {served.site.name: unmanaged(served.site) for served in sites.both}
        people = People(sites, TWINS, 1)
        assert _figures(sites, before, people) == {}
        assert _figures(sites, before, people, broken=1, given_up=2) == {
            "unaudited": 1,
            "given_up": 2,
        }

        # A mirror as it should be, then without its outcome, then with two.
        sites.link(0, ("Blocks", 1, 2))
        assert _figures(sites, before, people) == {"out_of_step": 1}
        link = _ours(right)
        whole = [_row("intended", link), _row("applied", link)]
        # No request of ours made it, so one is missing in the log of requests.
        assert _figures(sites, before, people, rows=whole) == {"doubled": 1}
        assert _figures(sites, before, people)["unaudited"] == 1
        assert _figures(sites, before, people, rows=whole[:1])["unaudited"] == 2
        assert _figures(sites, before, people, rows=[*whole, _row("noop", link)])["unaudited"] == 1

        # An unmanaged link that people remove is theirs to remove; by us it is the incident.
        foreign = sorted(unmanaged(right))
        people.removed.add((right.name, foreign[0]))
        person_on(right, OTHER).unlink(foreign[0])
        assert "unmanaged_changed" not in _figures(sites, before, people, rows=whole)
        person_on(right, ACCOUNT).unlink(foreign[1])
        assert _figures(sites, before, people, rows=whole)["unmanaged_changed"] == 2
        person_on(right, OTHER).unlink(foreign[2])
        assert _figures(sites, before, people, rows=whole)["unmanaged_changed"] == 3


async def test_a_link_beside_its_like_shows() -> None:
    """Jira takes the other direction for another link, also where direction means nothing."""
    async with town(TWINS, seed=1) as sites:
        right = sites.right.site
        before = {served.site.name: unmanaged(served.site) for served in sites.both}
        people = People(sites, TWINS, 1)
        sites.link(1, ("Relates", 1, 2))
        at_first = _figures(sites, before, people)
        person_on(right, ACCOUNT).link("B-2", "Relates", "B-1")
        # One as such, one as a link without a request.
        assert _figures(sites, before, people)["doubled"] - at_first.get("doubled", 0) == 2
