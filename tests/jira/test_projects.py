"""Projects that Jira does not show us: a search goes on without them, and a look says why."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.core.errors import PermanentError
from app.core.links import ProjectKey
from app.sandbox import Fault, JiraSite
from app.sandbox.people import person_on
from tests.jira.conftest import Connect

A, TYPO = ProjectKey("A"), ProjectKey("TYPO")


def crowded(site: JiraSite) -> list[ProjectKey]:
    """Sixteen projects with an issue each, of which two are hidden from us, and a typo."""
    keys = [ProjectKey(f"N{number}") for number in range(16)]
    for key in keys:
        site.add_project(key)
        person_on(site, "ann").create(key, "one")
    for key in keys[3], keys[11]:
        site.permit("twinlink", "BROWSE_PROJECTS", key, allowed=False)
    return [*keys, TYPO]


async def test_a_search_goes_on_without_the_projects_that_are_not_shown(
    site: JiraSite, connect: Connect
) -> None:
    projects = crowded(site)
    client, unseen = connect(site), set[ProjectKey]()
    since = datetime.now(UTC) - timedelta(days=3650)
    for _ in range(2):
        pages = client.search_issues(projects, updated_since=since, unseen=unseen)
        found = [view.project async for page in pages for view in page]
        assert sorted(found) == sorted({*projects} - unseen), "each once"
        assert unseen == {"N3", "N11", "TYPO"}
    first = site.requests.count("POST")
    [page async for page in client.search_issues(projects, unseen=unseen)]
    assert site.requests.count("POST") - first <= 4, "who is known to be hidden is asked apart"
    site.permit("twinlink", "BROWSE_PROJECTS", "N3")
    found = [view.project async for page in client.search_issues(projects, unseen=unseen)
             for view in page]  # fmt: skip
    assert "N3" in found
    assert unseen == {"N11", "TYPO"}


async def test_a_search_of_one_hidden_project_shows_nothing_and_says_so(
    site: JiraSite, connect: Connect
) -> None:
    unseen = set[ProjectKey]()
    assert [page async for page in connect(site).search_issues([TYPO], unseen=unseen)] == []
    assert unseen == {"TYPO"}
    with pytest.raises(PermanentError):
        [page async for page in connect(site).search_issues([TYPO])]


async def test_a_refusal_amid_the_pages_is_no_matter_of_a_project(
    site: JiraSite, connect: Connect
) -> None:
    for number in range(150):
        person_on(site, "ann").create("A", f"More {number}")
    site.faults.add(Fault("error_before", path="^/search", status=400, skip=1, times=1))
    unseen = set[ProjectKey]()
    with pytest.raises(PermanentError):
        [page async for page in connect(site).search_issues([A], unseen=unseen)]
    assert unseen == set()


async def test_what_the_account_may_in_a_project(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    whole = await client.project_access(A)
    assert (whole.key, whole.browse, whole.link, whole.archived) == ("A", True, True, False)
    site.permit("twinlink", "LINK_ISSUES", "A", allowed=False)
    assert (await client.project_access(A)).link is False
    site.projects[site.project_keys["A"]].archived = True
    assert (await client.project_access(A)).archived
    site.permit("twinlink", "BROWSE_PROJECTS", "A", allowed=False)
    hidden = await client.project_access(A)
    assert (hidden.key, hidden.browse, hidden.link) == (None, False, False)
    assert (await client.project_access(TYPO)).key is None


async def test_a_project_that_was_renamed_is_found_under_its_new_key(
    site: JiraSite, connect: Connect
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/project/" in request.url.path:
            return httpx.Response(200, json={"id": "1", "key": "NEW"})
        granted = {name: {"havePermission": True} for name in ("BROWSE_PROJECTS", "LINK_ISSUES")}
        return httpx.Response(200, json={"permissions": granted})

    found = await connect(site, http=httpx.MockTransport(answer)).project_access(ProjectKey("OLD"))
    assert found.key == "NEW"


async def test_all_projects_page_by_page(site: JiraSite, connect: Connect) -> None:
    for number in range(201):
        site.add_project(f"P{number}")
    keys = [project.key for project in await connect(site).projects()]
    assert keys == sorted(site.project_keys)
