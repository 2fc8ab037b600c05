"""What Jira refuses for want of a person, and what it refuses for want of a permission."""

import httpx
import pytest

from app.core.errors import NotSent, OutcomeUnknown, PermanentError, SiteLocked, TransientError
from app.core.links import IssueId, LinkId, TypeId
from app.jira.client import JiraClient
from app.jira.http.access import SiteAccess
from app.sandbox import Fault, JiraSite, SiteApp
from app.sandbox.people import person_on
from tests.jira.conftest import Connect


class DeniesWrites(httpx.ASGITransport):
    """Answers 201 to a link, and that nobody was let in."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/issueLink"):
            return httpx.Response(201, headers={"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"})
        return await super().handle_async_request(request)


def ids(site: JiraSite) -> tuple[TypeId, IssueId, IssueId]:
    return (
        TypeId(str(site.link_type("Blocks").id)),
        IssueId(str(site.issue("A-1").id)),
        IssueId(str(site.issue("A-2").id)),
    )


@pytest.mark.parametrize("kind", ["captcha", "denied"])
async def test_a_captcha_stops_every_further_call(
    site: JiraSite, connect: Connect, kind: str
) -> None:
    told: list[SiteAccess] = []

    async def tell(it: SiteAccess) -> None:
        told.append(it)

    client = connect(site, locked=tell)
    fault = site.faults.add(Fault(kind))  # type: ignore[arg-type]
    with pytest.raises(SiteLocked) as caught:
        await client.read_issues([IssueId(str(site.issue("A-1").id))])
    assert caught.value.code == "captcha_required"
    assert (fault.hits, len(told)) == (1, 1)
    for call in (client.myself, client.link_types, client.list_webhooks, client.assure):
        with pytest.raises(SiteLocked):
            await call()
    with pytest.raises(NotSent):
        await client.create_link(*ids(site))
    assert fault.hits == 1, "each further try renews the lock"
    assert not client.assured()


async def test_a_captcha_on_a_look_at_one_issue_is_no_hidden_issue(
    site: JiraSite, connect: Connect
) -> None:
    client = connect(site)
    site.faults.add(Fault("captcha", path="^/issue/"))
    with pytest.raises(SiteLocked):
        await client.changelog(IssueId(str(site.issue("A-1").id)))


async def test_a_write_whose_answer_came_with_a_denial_may_have_acted(
    site: JiraSite, connect: Connect
) -> None:
    """An anonymous caller may be allowed to link."""
    client = connect(site, http=DeniesWrites(app=SiteApp(site)))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_link(*ids(site))
    assert caught.value.code == "captcha_required"
    with pytest.raises(SiteLocked):
        await client.myself()


async def test_a_site_that_is_stored_as_locked_is_not_called(
    site: JiraSite, connect: Connect
) -> None:
    client = connect(site, pins={"locked": True})
    with pytest.raises(SiteLocked):
        await client.myself()
    assert not site.requests.entries


async def test_the_lock_is_told_again_until_it_is_heard(site: JiraSite, connect: Connect) -> None:
    """The database may be away in that very moment; our own memory stops the calls meanwhile."""
    tries = 0

    async def tell(_: SiteAccess) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TransientError("database_unavailable")

    client = connect(site, locked=tell)
    fault = site.faults.add(Fault("captcha"))
    for _ in range(5):
        with pytest.raises(SiteLocked):
            await client.myself()
    assert (tries, fault.hits) == (3, 1)


async def _code(client: JiraClient, site: JiraSite) -> str:
    with pytest.raises(PermanentError) as caught:
        await client.create_link(*ids(site))
    return caught.value.code


async def test_data_centers_401_for_a_permission_is_not_one_for_credentials(
    datacenter: JiraSite, connect: Connect
) -> None:
    client = connect(datacenter)
    await client.assure()
    datacenter.permit("twinlink", "LINK_ISSUES", "A", allowed=False)
    assert await _code(client, datacenter) == "link_not_permitted"
    link = person_on(datacenter, "ann").link("A-1", "Blocks", "A-2")
    with pytest.raises(PermanentError) as caught:
        await client.delete_link(LinkId(str(link.id)))
    assert caught.value.code == "link_not_permitted"
    await client.assure()


async def test_a_401_of_credentials_that_ended_stays_one(
    datacenter: JiraSite, connect: Connect
) -> None:
    client = connect(datacenter)
    await client.assure()
    datacenter.faults.add(Fault("error_before", status=401))
    assert await _code(client, datacenter) == "unauthorized"
