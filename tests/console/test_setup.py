"""The set-up, from nothing on: each step by its forms, what is wrong at its field, and who may."""

import re
from collections.abc import Callable
from html import unescape

import asyncpg
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.api.auth.roles import V1
from app.console.remedies import REMEDIES
from app.sandbox import token_of
from app.sync.runtime.refusals import Refused
from app.sync.sites import check
from app.sync.sites.admin import SiteAdmin
from tests.api.conftest import Api, Jira
from tests.console.conftest import Browser, text_of

Browse = Callable[[], Browser]


def fault_of(page: str, name: str) -> str:
    """What is said at a field, by its id; the field must name it as its description."""
    found = re.search(rf'<span class="fault" id="fault-{re.escape(name)}">([^<]*)</span>', page)
    assert found, f"no fault at {name}: {text_of(page)[:2000]}"
    return unescape(found[1])


def site_form(jira: Jira, side: str = "left", **changes: str) -> dict[str, str]:
    """What a person types for the Cloud on the left, or the Data Center on the right."""
    served = jira.left if side == "left" else jira.right
    form = {
        "name": side,
        "address": f"{served.base_url}/browse/A-1",
        "deployment": "detect",
        "kind": "basic" if side == "left" else "bearer",
        "token": token_of(served.site, "twinlink"),
        "dedicated": "on",
        **changes,
    }
    if side == "left":
        form.setdefault("email", served.site.user("twinlink").email)
    return form


@pytest.fixture
async def both(browser: Browser, jira: Jira) -> Jira:
    """Both sites stored by the set-up."""
    await browser.get("/setup/sites")
    for side in ("left", "right"):
        assert (await browser.send("/setup/sites", **site_form(jira, side))).status_code == 200
    return jira


async def test_nothing_leads_to_the_set_up(browser: Browser) -> None:
    assert 'href="/setup"' in await browser.get("/")
    page = await browser.get("/setup")
    assert "Add the first site" in text_of(page)
    assert "Start a new connection" not in page


async def test_a_site_is_stored_and_checked(
    browser: Browser, jira: Jira, client: httpx.AsyncClient
) -> None:
    await browser.get("/setup/sites")
    for side, kind in (("left", "cloud"), ("right", "datacenter")):
        stored = await browser.send("/setup/sites", **site_form(jira, side))
        assert stored.status_code == 200
        assert "It can be used" in stored.text
        found = (await client.get(f"{V1}/sites/{side}")).json()
        assert (found["deployment"], found["account_dedicated"]) == (kind, True)
        assert found["checked_at"]
    assert "Start a new connection" in await browser.get("/setup")


async def test_a_secret_is_never_shown_again(browser: Browser, jira: Jira) -> None:
    secret = token_of(jira.left.site, "twinlink")
    await browser.get("/setup/sites")
    for changes in ({"name": "No Name"}, {"address": "ftp://x"}, {"token": secret + "x"}, {}):
        page = await browser.send("/setup/sites", **site_form(jira, **changes))
        assert secret not in page.text, changes
    assert secret not in await browser.get("/setup/sites/left")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "small letters"),
        ({"name": "No Name"}, "name", "small letters"),
        ({"name": "LEFT"}, "name", "match pattern"),
        ({"address": "ftp://left"}, "address", "is no address"),
        ({"address": "http://127.0.0.1:9"}, "address", "does not answer"),
        ({"web_url": "left"}, "web_url", "match pattern"),
        ({"kind": "carrier pigeon"}, "kind", "one of the three"),
        ({"token": ""}, "token", "not complete"),
        ({"email": ""}, "token", "not complete"),
        ({"expires": "soon"}, "expires", "valid datetime"),
    ],
)
async def test_what_is_wrong_with_a_site_is_said_at_its_field(
    browser: Browser, jira: Jira, changes: dict[str, str], field: str, words: str
) -> None:
    await browser.get("/setup/sites")
    answer = await browser.send("/setup/sites", **site_form(jira, **changes))
    assert answer.status_code == 422
    assert words in fault_of(answer.text, field)
    kept = site_form(jira, **changes)["address"]
    assert f'value="{kept}"' in answer.text, "what was typed stays"
    assert not (await browser.http.get("/setup/sites/left")).is_success


async def test_a_wrong_token_is_found_by_the_check_with_its_remedy(
    browser: Browser, jira: Jira
) -> None:
    await browser.get("/setup/sites")
    answer = await browser.send("/setup/sites", **site_form(jira, token="wrong"))
    assert "It cannot be used like this" in answer.text
    assert "the account's e-mail and one of its API tokens" in text_of(answer.text)
    mended = await browser.send(
        "/setup/sites/left",
        **site_form(jira, version="1", deployment="cloud", address=jira.left.base_url),
    )
    assert "It can be used" in mended.text


async def test_a_site_that_is_there_is_not_replaced_by_a_new_one(
    browser: Browser, both: Jira
) -> None:
    answer = await browser.send("/setup/sites", **site_form(both, address="https://x.example"))
    assert answer.status_code == 409
    assert "is taken" in fault_of(answer.text, "name")


async def test_a_change_keeps_what_it_does_not_name_and_no_other_change(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    page = await browser.get("/setup/sites/right")
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    form = site_form(both, "right", token="", version=version, deployment="datacenter")
    form["address"] = both.right.base_url
    changed = await browser.send("/setup/sites/right", **(form | {"expires": "2099-01-02"}))
    assert "It can be used" in changed.text, "the stored token is kept"
    found = (await client.get(f"{V1}/sites/right")).json()
    assert found["token_expires_at"].startswith("2099-01-02")
    stale = await browser.send("/setup/sites/right", **(form | {"version": version}))
    assert stale.status_code == 412
    assert "changed since" in text_of(stale.text)


async def test_what_is_stored_goes_to_no_other_address(browser: Browser, both: Jira) -> None:
    """The same Jira under another name: its token is asked for, its webhook gets a new secret."""
    await browser.get("/setup/sites/right")
    address = both.right.base_url.replace("127.0.0.1", "localhost")
    form = site_form(both, "right", address=address, deployment="datacenter", version="1")
    kept = await browser.send("/setup/sites/right", **(form | {"token": ""}))
    assert kept.status_code == 422
    assert "is required" in fault_of(kept.text, "token")
    moved = await browser.send("/setup/sites/right", **form)
    assert "It can be used" in moved.text
    assert "the webhook has a new secret" in moved.text


@pytest.mark.parametrize("behind", ["/", "/browse/B-1", "/secure/Dashboard.jspa/"])
async def test_the_same_address_typed_otherwise_keeps_the_webhook(
    browser: Browser, both: Jira, client: httpx.AsyncClient, behind: str
) -> None:
    await browser.get("/setup/sites/right")
    address = f"{both.right.base_url}{behind}"
    form = site_form(both, "right", address=address, deployment="datacenter", version="1", token="")
    stored = await browser.send("/setup/sites/right", **form)
    assert "It can be used" in stored.text
    assert "the webhook has a new secret" not in stored.text
    found = (await client.get(f"{V1}/sites/right")).json()
    assert found["base_url"] == both.right.base_url
    assert found["previous_secret_until"] is None


async def test_a_site_whose_check_is_refused_is_stored_and_shown(
    browser: Browser, jira: Jira, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another change comes between the two."""

    async def refused(*_: object) -> None:
        raise Refused("concurrent_change")

    await browser.get("/setup/sites")
    monkeypatch.setattr(SiteAdmin, "check", refused)
    stored = await browser.send("/setup/sites", **site_form(jira))
    assert stored.status_code == 409
    assert 'action="/setup/sites/left"' in stored.text, "the page of the site, not of a new one"
    assert re.search(r'name="version" value="1"', stored.text)


async def test_a_data_center_says_where_its_tokens_come_from(
    browser: Browser, jira: Jira, client: httpx.AsyncClient
) -> None:
    await browser.get("/setup/sites")
    name, secret = jira.right.site.add_client("twinlink")
    form = site_form(jira, "right", kind="oauth", client_id=name, client_secret=secret,
                     scope="WRITE")  # fmt: skip
    missing = await browser.send("/setup/sites", **form)
    assert missing.status_code == 422
    assert "is required for Data Center" in fault_of(missing.text, "token_url")
    form["token_url"] = f"{jira.right.base_url}/rest/oauth2/latest/token"
    stored = await browser.send("/setup/sites", **form)
    assert "It can be used" in stored.text


async def test_a_webhook_is_registered_by_a_button(browser: Browser, both: Jira) -> None:
    both.left.site.user("twinlink").admin = True
    assert "Jira does not have it yet" in await browser.get("/setup/sites/left")
    url = "https://twinlink.example.org"
    done = await browser.send("/setup/sites/left/webhook", url=url)
    assert done.status_code == 200
    assert "The webhook is registered" in done.text
    assert [it.url for it in both.left.site.webhooks.values()] == [f"{url}/webhooks/jira/left"]
    bad = await browser.send("/setup/sites/left/webhook", url="mailto:us")
    assert "is no address" in fault_of(bad.text, "url")


@pytest.mark.parametrize(
    ("host", "proposed"),
    [
        ("127.0.0.1", "http://127.0.0.1"),
        ("localhost:8080", "http://localhost:8080"),
        ("twinlink.example.org", "https://twinlink.example.org"),
        ("twinlink.example.org:8443", "https://twinlink.example.org:8443"),
    ],
)
async def test_a_webhook_is_proposed_where_jira_reaches_it(
    api: Api, both: Jira, host: str, proposed: str
) -> None:
    """The browser speaks HTTPS with a proxy, whose word for it the service does not take."""

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await api.app({**scope, "scheme": "http"}, receive, send)

    transport = httpx.ASGITransport(passed_on)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"https://{host}", follow_redirects=True
    ) as http:
        browser = Browser(http)
        assert (await browser.sign_in()).status_code == 200
        assert f'value="{proposed}"' in await browser.get("/setup/sites/left")


async def test_a_webhook_is_entered_by_hand(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    """The account is no administrator of this Jira."""
    await browser.get("/setup/sites/left")
    refused = await browser.send("/setup/sites/left/webhook", url="https://t.example.org")
    assert "enters the webhook by hand" in text_of(refused.text)
    before = (await client.get(f"{V1}/sites/left")).json()
    shown = await browser.send("/setup/sites/left/secret")
    [secret] = re.findall(r"<code>([0-9a-f]{48})</code>", shown.text)
    assert "/webhooks/jira/left" in shown.text
    assert "issuelink_deleted" in shown.text
    assert secret not in await browser.get("/setup/sites/left")
    after = (await client.get(f"{V1}/sites/left")).json()
    assert after["previous_secret_until"] is not None
    assert after["account_dedicated"] is before["account_dedicated"] is True


def joined(**changes: str) -> dict[str, str]:
    return {
        "left": "left",
        "right": "right",
        "project.left.A": "on",
        "project.right.B": "on",
        "direction": "left_to_right",
        **changes,
    }


def proposal(page: str) -> dict[str, str]:
    """The map that a form proposes."""
    rows = re.findall(r'<select name="(type\.\d+)".*?</select>', page, re.DOTALL)
    chosen = [
        re.findall(r'value="(\d+)" selected', part)
        for part in re.findall(r'<select name="type\.\d+"(.*?)</select>', page, re.DOTALL)
    ]
    return {name: ids[0] for name, ids in zip(rows, chosen, strict=True) if ids}


def revision_of(page: str) -> str:
    """That which a form was made of."""
    return str(re.findall(r'name="revision" value="(\d+)"', page)[0])


async def test_projects_and_types_are_picked_from_lists(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    page = await browser.get("/setup/new?name=main&left=left&right=right")
    for name in ("project.left.A", "project.left.AX", "project.right.B"):
        assert f'name="{name}"' in page
    types = proposal(page)
    assert len(types) == 2
    made = await browser.send("/setup/connections/main", **joined(**types))
    assert made.status_code == 200
    assert "Stored as revision 1" in made.text
    found = (await client.get(f"{V1}/connections/main")).json()
    assert found["mode"] == "shadow"
    assert [it["left"] for it in found["link_types"]] == ["Blocks", "Relates"]
    assert 'href="/setup/connections/main"' in await browser.get("/setup")


async def test_a_person_leaves_and_comes_back(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    page = await browser.get("/setup/new?name=main&left=left&right=right")
    await browser.send("/setup/connections/main", **joined(**proposal(page)))
    again = await browser.get("/setup/connections/main/scope")
    assert re.search(r'name="project.left.A" checked', again)
    assert not re.search(r'name="project.left.AX" checked', again)
    form = joined(**proposal(again), direction="both", revision=revision_of(again))
    await browser.send("/setup/connections/main", **form)
    found = (await client.get(f"{V1}/connections/main")).json()
    assert (found["direction"], found["revision"]) == ("both", 2)
    taken = await browser.get("/setup/new?name=main&left=left&right=right", 422)
    assert "is taken" in fault_of(taken, "name")


async def test_a_project_that_jira_does_not_list_now_stays_until_it_is_removed(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    types = proposal(await browser.get("/setup/new?name=main&left=left&right=right"))
    form = joined(**types, **{"project.left.AX": "on"})
    await browser.send("/setup/connections/main", **form)
    both.left.site.permit("twinlink", "BROWSE_PROJECTS", "AX", allowed=False)
    page = await browser.get("/setup/connections/main/scope")
    assert 'name="project.left.AX"' not in page
    assert re.search(r'name="keys.left" value="AX"', page)
    assert "They stay unless you delete them here" in page
    assert not re.search(r'name="keys.right"', page)
    kept = joined(**types, **{"keys.left": "AX", "direction": "both"}, revision=revision_of(page))
    stored = await browser.send("/setup/connections/main", **kept)
    assert "Stored as revision 2" in stored.text
    found = (await client.get(f"{V1}/connections/main")).json()
    assert found["left"]["projects"] == ["A", "AX"]
    wrong = kept | {
        "revision": "2",
        "direction": "sideways",
        "project.left.AX": "on",
        "keys.left": "",
    }
    again = await browser.send("/setup/connections/main", **wrong)
    assert re.search(r'name="keys.left" value="AX"', again.text), "ticked while it was listed"
    await browser.send("/setup/connections/main", **(kept | {"revision": "2", "keys.left": ""}))
    found = (await client.get(f"{V1}/connections/main")).json()
    assert found["left"]["projects"] == ["A"]


async def test_a_mapped_type_that_is_gone_is_named(
    browser: Browser, both: Jira, db: asyncpg.Pool
) -> None:
    types = proposal(await browser.get("/setup/new?name=main&left=left&right=right"))
    await browser.send("/setup/connections/main", **joined(**types))
    assert "no longer listed" not in await browser.get("/setup/connections/main/scope")
    await db.execute(
        "DELETE FROM link_types WHERE name = 'Relates'"
        " AND site_id = (SELECT id FROM sites WHERE name = 'left')"
    )
    page = text_of(await browser.get("/setup/connections/main/scope"))
    assert re.search(r"Mapped until now, and no longer listed: Relates = \w+", page)


async def test_a_form_does_not_undo_a_change_that_it_never_saw(
    browser: Browser, both: Jira, client: httpx.AsyncClient
) -> None:
    page = await browser.get("/setup/new?name=main&left=left&right=right")
    new = joined(**proposal(page))
    await browser.send("/setup/connections/main", **new)
    form = await browser.get("/setup/connections/main/scope")
    twins = await browser.get("/setup/connections/main/twins")
    other = joined(**proposal(form), direction="both", revision=revision_of(form))
    await browser.send("/setup/connections/main", **other)
    field = {"side": "left", "field": "customfield_10042", "revision": revision_of(twins)}
    for path, late in (
        ("/setup/connections/main", other | {"direction": "left_to_right"}),
        ("/setup/connections/main", new),
        ("/setup/connections/main/twins/field", field),
    ):
        answer = await browser.send(path, **late)
        assert answer.status_code == 412, path
        assert "was changed since this form was opened" in text_of(answer.text)
        assert revision_of(answer.text) == "2", "a person who knows it may go on"
    found = (await client.get(f"{V1}/connections/main")).json()
    assert (found["direction"], found["revision"]) == ("both", 2)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"direction": "sideways"}, "direction", "left_to_right"),
        ({"project.left.A": "", "keys.left": "NOPE"}, "projects.left", "no project NOPE"),
        ({"without": "project.right.B"}, "projects.right", "at least 1"),
        ({"without": "types"}, "types", "at least 1"),
    ],
)
async def test_what_is_wrong_with_a_connection_is_said_at_its_field(
    browser: Browser, both: Jira, changes: dict[str, str], field: str, words: str
) -> None:
    types = proposal(await browser.get("/setup/new?name=main&left=left&right=right"))
    left_out = changes.pop("without", "")
    form = {**joined(**({} if left_out == "types" else types)), **changes}
    form.pop(left_out, None)
    answer = await browser.send("/setup/connections/main", **form)
    assert answer.status_code == 422
    assert words in fault_of(answer.text, field)


async def test_a_symmetric_type_does_not_stand_for_a_directed_one(
    browser: Browser, both: Jira
) -> None:
    types = proposal(await browser.get("/setup/new?name=main&left=left&right=right"))
    (one, other) = types
    swapped = {one: types[other], other: types[one]}
    answer = await browser.send("/setup/connections/main", **joined(**swapped))
    assert answer.status_code == 422
    assert "symmetric" in fault_of(answer.text, one)


@pytest.mark.parametrize("query", ["left=left&right=left", "left=left&right=right&name=A%2FB"])
async def test_two_sites_and_a_name(browser: Browser, both: Jira, query: str) -> None:
    page = await browser.get(f"/setup/new?{query}", 422)
    fault_of(page, "name" if "name" in query else "right")


@pytest.mark.parametrize("site", ["left?x=1#", "../connections", "%2e%2e", "left/projects", "nope"])
async def test_a_site_is_no_address(browser: Browser, both: Jira, site: str) -> None:
    """What a form names is a name: it leads to no other place of the API."""
    await browser.get("/setup/new")
    found = await browser.http.get(
        "/setup/new", params={"name": "main", "left": site, "right": "right"}
    )
    assert found.status_code == 404
    stored = await browser.send("/setup/connections/main", **joined(left=site))
    assert stored.status_code in {404, 422}
    adopted = await browser.send("/recover/adopt", connection=site, account_id="x")
    assert adopted.status_code in {404, 422}


async def test_no_version_is_too_long(browser: Browser, both: Jira) -> None:
    await browser.get("/setup/sites/left")
    form = site_form(both, version="9" * 5000, deployment="cloud", address=both.left.base_url)
    assert (await browser.send("/setup/sites/left", **form)).status_code == 200


async def test_others_see_and_set_nothing_up(
    browse: Browse, api: Api, browser: Browser, both: Jira
) -> None:
    types = proposal(await browser.get("/setup/new?name=main&left=left&right=right"))
    await browser.send("/setup/connections/main", **joined(**types))
    for body in (
        {"role": "viewer", "owner": "eva"},
        {"role": "admin", "owner": "eva", "connections": ["main"]},
    ):
        made = await api.client().post(f"{V1}/tokens", json=body)
        other = browse()
        await other.sign_in(made.json()["token"])
        for path in ("/setup", "/setup/sites", "/setup/sites/left", "/setup/new",
                     "/setup/new?name=x&left=left&right=right"):  # fmt: skip
            page = await other.get(path)
            assert set(re.findall(r'method="post" action="([^"]+)"', page)) <= {"/sign-out"}, path
        for path in ("/setup/sites", "/setup/sites/left", "/setup/sites/left/check",
                     "/setup/sites/left/webhook", "/setup/sites/left/secret",
                     "/setup/connections/main"):  # fmt: skip
            form = {**site_form(both, name="third"), **joined(**types)}
            assert (await other.send(path, **form)).status_code == 403, path


async def test_a_form_of_another_page_changes_nothing(browser: Browser, both: Jira) -> None:
    for path in ("/setup/sites", "/setup/sites/left/secret", "/setup/connections/main"):
        answer = await browser.http.post(path, data={"csrf": "guessed", **joined()})
        assert answer.status_code == 403
        assert "out of date" in answer.text


def test_each_finding_has_a_remedy() -> None:
    for code in check._TROUBLE:
        assert code in REMEDIES
    for fault in check._ASTRAY:
        assert f"deliveries_{fault}" in REMEDIES
