"""Links over REST: direction, duplicates, refusals, and what stays hidden."""

from __future__ import annotations

import pytest

from app.sandbox import JiraSite, Lag, ManualClock, Refusal
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect, body_of

V3 = "/rest/api/3"


async def test_inward_issue_is_the_source(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    made = await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    assert (made.status_code, made.content) == (201, b"")
    assert "location" not in made.headers
    assert site.triples_of() == {("A-1", "Blocks", "A-2")}

    first = (await client.get(f"{V3}/issue/A-1?fields=issuelinks")).json()["fields"]["issuelinks"]
    second = (await client.get(f"{V3}/issue/A-2?fields=issuelinks")).json()["fields"]["issuelinks"]
    assert first[0]["outwardIssue"]["key"] == "A-2"
    assert "inwardIssue" not in first[0]
    assert second[0]["inwardIssue"]["key"] == "A-1"
    assert "outwardIssue" not in second[0]
    assert first[0]["id"] == second[0]["id"]

    link = (await client.get(f"{V3}/issueLink/{first[0]['id']}")).json()
    assert link["inwardIssue"]["key"] == "A-1"
    assert link["outwardIssue"]["key"] == "A-2"


async def test_changelog_speaks_from_each_end(site: JiraSite, connect: Connect) -> None:
    site.quirks.link_text = "Vorgang {wording} {key}"
    client = connect(site)
    await client.post(f"{V3}/issueLink", json=body_of("A-1", "A-2"))
    for key, other, wording in (("A-1", "A-2", "blocks"), ("A-2", "A-1", "is blocked by")):
        made = (await client.get(f"{V3}/issue/{key}?expand=changelog&fields=updated")).json()
        entry = made["changelog"]["histories"][0]
        assert entry["author"]["accountId"] == site.user("twinlink").account_id
        assert entry["created"] == made["fields"]["updated"]
        assert entry["items"] == [
            {
                "field": "Link",
                "fieldtype": "jira",
                "from": None,
                "fromString": None,
                "to": other,
                "toString": f"Vorgang {wording} {other}",
            }
        ]


async def test_identical_link_is_silent_and_reverse_is_another(
    site: JiraSite, connect: Connect
) -> None:
    client = connect(site)
    for source, destination in (("A-1", "A-2"), ("A-1", "A-2"), ("A-2", "A-1")):
        answer = await client.post(f"{V3}/issueLink", json=body_of(source, destination, "Relates"))
        assert answer.status_code == 201
    assert site.triples_of() == {("A-1", "Relates", "A-2"), ("A-2", "Relates", "A-1")}
    assert len(site.mutations) == 2
    assert len(site.issue("A-1").history) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (body_of("A-1", "A-1"), 400),
        (body_of("A-1", "A-99"), 404),
        (body_of("A-1", "A-2", "Nope"), 404),
        (body_of("A-1", "A-2", "Epic-Story Link"), 404),
        ({"type": {"name": "Blocks"}}, 400),
        ({**body_of("A-1", "A-2"), "comment": {}}, 400),
        ({**body_of("A-1", "A-2"), "comment": {"body": "not a document"}}, 400),
    ],
)
async def test_refusals(
    site: JiraSite, connect: Connect, body: dict[str, object], status: int
) -> None:
    answer = await connect(site).post(f"{V3}/issueLink", json=body)
    assert answer.status_code == status
    assert answer.json()["errorMessages"] or answer.json()["errors"]
    assert not site.links


async def test_limit_per_issue(site: JiraSite, connect: Connect) -> None:
    site.quirks.link_limit = 2
    client = connect(site)
    codes = [
        (await client.post(f"{V3}/issueLink", json=body_of("A-1", key))).status_code
        for key in ("A-2", "A-3", "A-4", "A-2")
    ]
    assert codes == [201, 201, 413, 201]


async def test_remove_is_logged_and_traced(site: JiraSite, connect: Connect) -> None:
    link = person_on(site, "ann").link("A-1", "Blocks", "A-2")
    client = connect(site)
    assert (await client.delete(f"{V3}/issueLink/{link.id}")).status_code == 204
    assert (await client.delete(f"{V3}/issueLink/{link.id}")).status_code == 404
    assert (await client.get(f"{V3}/issueLink/{link.id}")).status_code == 404
    created, removed = site.mutations.entries
    assert (created.actor, created.request) == ("ann", None)
    assert (removed.actor, removed.kind, removed.link_id) == ("twinlink", "removed", link.id)
    assert removed.request is not None
    item = site.issue("A-2").history[-1].items[0]
    assert (item.before, item.after) == ("A-1", None)


async def test_hidden_end_takes_the_link_out_of_sight(site: JiraSite, connect: Connect) -> None:
    ann = person_on(site, "ann")
    link = ann.link("A-1", "Blocks", "A-2")
    ann.hide("A-2", "twinlink")
    client = connect(site)
    shown = (await client.get(f"{V3}/issue/A-1?fields=issuelinks")).json()
    assert shown["fields"]["issuelinks"] == []
    assert (await client.get(f"{V3}/issueLink/{link.id}")).status_code == 404
    assert (await client.delete(f"{V3}/issueLink/{link.id}")).status_code == 404
    assert (await client.get(f"{V3}/issue/A-2")).status_code == 404
    assert link.id in site.links


async def test_permission_to_link(site: JiraSite, connect: Connect) -> None:
    """Create needs it on one end, delete on any."""
    client = connect(site)
    site.permit("twinlink", "LINK_ISSUES", "X", allowed=False)
    assert (await client.post(f"{V3}/issueLink", json=body_of("A-1", "X-1"))).status_code == 404
    assert (await client.post(f"{V3}/issueLink", json=body_of("X-1", "A-1"))).status_code == 201
    link = next(iter(site.links))
    site.permit("twinlink", "LINK_ISSUES", "A", allowed=False)
    assert (await client.delete(f"{V3}/issueLink/{link}")).status_code == 404
    site.permit("twinlink", "LINK_ISSUES", "A")
    assert (await client.delete(f"{V3}/issueLink/{link}")).status_code == 204


async def test_data_center_says_401_without_link_permission(dc: JiraSite, connect: Connect) -> None:
    client = connect(dc)
    dc.permit("twinlink", "LINK_ISSUES", "A", allowed=False)
    answer = await client.post("/rest/api/2/issueLink", json=body_of("A-1", "X-1"))
    assert answer.status_code == 401
    answer = await client.post("/rest/api/2/issueLink", json=body_of("X-1", "A-1"))
    assert answer.status_code == 201


async def test_system_links_do_not_show(site: JiraSite, connect: Connect) -> None:
    before = site.issue("A-1").updated
    assert isinstance(site.clock, ManualClock)
    site.clock.tick(5)
    link = person_on(site, "ann").link("A-1", "Epic-Story Link", "A-2")
    client = connect(site)
    shown = (await client.get(f"{V3}/issue/A-1?fields=issuelinks")).json()
    assert shown["fields"]["issuelinks"] == []
    assert (await client.get(f"{V3}/issueLink/{link.id}")).status_code == 404
    assert site.issue("A-1").updated == before
    types = (await client.get(f"{V3}/issueLinkType")).json()["issueLinkTypes"]
    assert [made["name"] for made in types] == ["Blocks", "Relates"]


async def test_update_issuelinks_makes_the_edited_issue_the_source(
    site: JiraSite, connect: Connect
) -> None:
    operation = {"add": {"type": {"name": "Blocks"}, "outwardIssue": {"key": "A-2"}}}
    body = {"update": {"issuelinks": [operation]}}
    answer = await connect(site).put(f"{V3}/issue/A-1", json=body)
    assert answer.status_code == 204
    assert site.triples_of() == {("A-1", "Blocks", "A-2")}


async def test_read_lag_hides_fresh_links_and_shows_removed_ones(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    site.lag = Lag(links=10)
    client = connect(site)

    async def seen() -> int:
        made = (await client.get(f"{V3}/issue/A-1?fields=issuelinks")).json()
        return len(made["fields"]["issuelinks"])

    link = person_on(site, "ann").link("A-1", "Blocks", "A-2")
    assert await seen() == 0
    clock.tick(11)
    assert await seen() == 1
    person_on(site, "ann").unlink(link)
    assert await seen() == 1
    clock.tick(11)
    assert await seen() == 0


async def test_archived_issues_keep_links_and_refuse_writes(
    site: JiraSite, connect: Connect
) -> None:
    ann = person_on(site, "ann")
    link = ann.link("A-1", "Blocks", "A-2")
    ann.archive("A-2")
    client = connect(site)
    assert (await client.delete(f"{V3}/issueLink/{link.id}")).status_code == 400
    assert (await client.post(f"{V3}/issueLink", json=body_of("A-3", "A-2"))).status_code == 400
    with pytest.raises(Refusal):
        ann.unlink(link)


async def test_archived_project_is_out_of_sight(site: JiraSite, connect: Connect) -> None:
    person_on(site, "ann").link("A-1", "Blocks", "X-1")
    site.projects[site.project_keys["X"]].archived = True
    client = connect(site)
    assert (await client.get(f"{V3}/issue/X-1")).status_code == 404
    shown = (await client.get(f"{V3}/issue/A-1?fields=issuelinks")).json()
    assert shown["fields"]["issuelinks"] == []
    assert (await client.get(f"{V3}/project/X")).json()["archived"] is True


def test_fingerprint_and_copy(site: JiraSite) -> None:
    ann = person_on(site, "ann")
    kept = ann.link("A-1", "Blocks", "A-2")
    gone = ann.link("A-1", "Blocks", "A-3")
    before, chosen = site.fingerprint(), site.fingerprint([kept.id])
    other = site.copy()
    person_on(other, "bob").unlink(gone.id)
    assert site.fingerprint() == before
    assert other.fingerprint() != before
    assert other.fingerprint([kept.id]) == chosen
    assert other.fingerprint([gone.id]) != site.fingerprint([gone.id])
    assert len(site.mutations) == 2
    assert len(other.mutations) == 3
