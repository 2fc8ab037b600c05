"""What some sites do and no document says, on demand; each answer is still one of the document."""

import httpx

from app.sandbox import Fault, JiraSite, ManualClock
from app.sandbox.jql.query import parse
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect, body_of
from tests.sandbox.contract_facts import PREFIX as V3


async def shown(client: httpx.AsyncClient, key: str) -> list[str]:
    answer = await client.get(f"{V3}/issue/{key}?fields=issuelinks")
    return [link["id"] for link in answer.json()["fields"]["issuelinks"]]


async def test_the_very_same_link_twice(site: JiraSite, connect: Connect) -> None:
    client = connect(site, "root")
    for _ in range(2):
        assert (await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))).status_code == 201
    assert len(await shown(client, "A-1")) == 1, "Jira finds the one that is there"
    site.quirks.same_link_twice = True
    await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    first, second = await shown(client, "A-1")
    assert await shown(client, "A-2") == [first, second]
    assert (await client.delete(f"{V3}/issueLink/{first}")).status_code == 204
    assert await shown(client, "A-1") == [second]
    site.quirks.same_link_twice = False
    await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert await shown(client, "A-1") == [second], "it is the one of its kind again"


async def test_a_clone_has_the_custom_fields_and_the_links(site: JiraSite) -> None:
    ann = person_on(site, "ann")
    field = next(iter(site.custom_fields))
    ann.edit("A-1", **{field: "B-1"})
    link = ann.link("A-1", "Blocks", "A-2")
    bare, full = ann.clone("A-1"), ann.clone("A-1", with_links=True)
    assert (bare.custom[field], full.custom[field]) == ("B-1", "B-1")
    assert not bare.links
    [copied] = full.links
    assert copied != link.id
    assert site.links[copied].destination == link.destination


async def test_a_changelog_that_comes_empty(site: JiraSite, connect: Connect) -> None:
    person_on(site, "ann").link("A-1", "Blocks", "A-2")
    client = connect(site, "root")
    site.faults.add(Fault("empty_changelog", "GET", "/changelog$", times=1))
    path = f"{V3}/issue/A-1/changelog"
    assert (await client.get(path)).json()["values"] == []
    assert len((await client.get(path)).json()["values"]) == 1


def test_an_index_that_lags_for_hours(site: JiraSite, clock: ManualClock) -> None:
    """It comes to one update after the other, each as late."""
    site.lag.search = 6 * 3600.0
    clock.tick(86_400)
    ann = person_on(site, "ann")
    began = clock.now()
    for hours in (0, 2, 4):
        clock.set(began + hours * 3600)
        ann.edit("A-1", summary=f"After {hours} hours")

    def updated_within(minutes: int) -> bool:
        found = parse(f"updated >= -{minutes}m").run(site, site.user("ann"))
        return "A-1" in [issue.key for issue in found]

    clock.set(began + 5 * 3600)
    assert not updated_within(12 * 60), "nothing of it is indexed yet"
    clock.set(began + 7 * 3600)
    assert updated_within(7 * 60 + 1), "the first update"
    assert not updated_within(6 * 60)
    clock.set(began + 11 * 3600)
    assert updated_within(7 * 60 + 1), "the last one"
