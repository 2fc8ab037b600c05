"""Signing in and out: who gets a session, what it is worth, and what ends it."""

from collections.abc import Callable

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.console.session import new_link
from tests.api.conftest import ADMIN, Api
from tests.console.conftest import Browser

Browse = Callable[[], Browser]


async def test_a_page_asks_for_a_token_and_comes_back(browse: Browse) -> None:
    browser = browse()
    assert "API token" in await browser.get("/plans?status=held")
    answer = await browser.sign_in(next="/plans?status=held")
    assert (answer.status_code, str(answer.url)) == (200, "http://127.0.0.1/plans?status=held")


async def test_after_a_wrong_token_the_right_one_leads_where_the_first_would_have(
    browse: Browse,
) -> None:
    browser = browse()
    wrong = await browser.sign_in("wrong", next="/plans?status=held")
    assert 'name="next" value="/plans?status=held"' in wrong.text


@pytest.mark.parametrize("text", ["", "wrong", "ünïcode", "twl_" + "x" * 43, "a" * 2000])
async def test_a_wrong_token_is_no_session(browse: Browse, text: str) -> None:
    browser = browse()
    answer = await browser.sign_in(text)
    assert answer.status_code == 401
    assert not browser.http.cookies
    assert "API token" in await browser.get("/")


async def test_guesses_are_throttled_as_the_apis_are(browse: Browse) -> None:
    browser = browse()
    codes = [(await browser.sign_in(f"guess {number}")).status_code for number in range(25)]
    assert codes[:20] == [401] * 20
    assert set(codes[21:]) == {429}


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
async def test_signing_in_leads_nowhere_else(browse: Browse, path: str) -> None:
    answer = await browse().sign_in(next=path)
    assert str(answer.url) == "http://127.0.0.1/"


async def test_a_cookie_is_worth_nothing_after_sign_out(browser: Browser) -> None:
    stolen = dict(browser.http.cookies)
    await browser.get("/")
    assert "API token" in (await browser.send("/sign-out")).text
    browser.http.cookies.update(stolen)
    assert "API token" in await browser.get("/")


async def test_signing_out_everywhere_ends_every_session_of_the_token(
    browse: Browse, browser: Browser, api: Api
) -> None:
    other, stranger = browse(), browse()
    await other.sign_in()
    made = await api.client().post(f"{V1}/tokens", json={"role": "viewer", "owner": "eva"})
    await stranger.sign_in(made.json()["token"])
    await browser.get("/")
    await browser.send("/sign-out", everywhere="1")
    assert "API token" in await other.get("/")
    assert "API token" not in await stranger.get("/")


async def test_a_session_ends_with_its_token(browse: Browse, api: Api) -> None:
    made = (await api.client().post(f"{V1}/tokens", json={"role": "viewer", "owner": "eva"})).json()
    browser = browse()
    await browser.sign_in(made["token"])
    assert "eva" in await browser.get("/")
    await api.client().delete(f"{V1}/tokens/{made['id']}")
    assert "API token" in await browser.get("/")


@pytest.mark.parametrize(
    "change", ["seen_at = now() - interval '3 hours'", "expires_at = now() - interval '1 second'"]
)
async def test_an_idle_or_old_session_is_over(
    browser: Browser, db: asyncpg.Pool, change: str
) -> None:
    await db.execute(f"UPDATE sessions SET {change}")  # noqa: S608
    assert "API token" in await browser.get("/")


async def test_only_hashes_are_stored(browser: Browser, db: asyncpg.Pool) -> None:
    [cookie] = browser.http.cookies.values()
    stored = str(await db.fetch("SELECT * FROM sessions"))
    assert cookie not in stored
    assert ADMIN not in stored


async def test_a_form_without_its_mark_does_nothing(browser: Browser, connected: object) -> None:
    await browser.get("/connections/ab")
    mark = browser.csrf
    for sent, headers in (
        ({}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": mark}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        answer = await browser.http.post("/connections/ab/pause", data=sent, headers=headers)
        assert answer.status_code == 403
    assert "Resume" not in await browser.get("/connections/ab")
    assert "Resume" in (await browser.send("/connections/ab/pause")).text


async def test_another_sessions_mark_does_nothing(
    browse: Browse, browser: Browser, connected: object
) -> None:
    other = browse()
    await other.sign_in()
    await other.get("/connections/ab")
    await browser.get("/connections/ab")
    browser.csrf = other.csrf
    assert (await browser.send("/connections/ab/pause")).status_code == 403


async def test_headers_of_every_page(browser: Browser) -> None:
    for path in ("/", "/plans", "/nothing-here", "/static/console.css", "/static/nothing"):
        answer: httpx.Response = await browser.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["x-frame-options"] == "DENY"
    cookie = (await browser.sign_in()).history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_the_cookie_is_secure_unless_it_is_this_machine(api: Api) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://twinlink.example.org"
    ) as outside:
        cookie = (await outside.post("/sign-in", data={"token": ADMIN})).headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "secure" in cookie.lower()


async def test_no_request_can_claim_a_session(api: Api) -> None:
    """The mark of a call inside the process lies where no header reaches."""
    client = api.client(None)
    answer = await client.get(f"{V1}/me", headers={"twinlink.signed_in": "bootstrap"})
    assert answer.status_code == 401


async def test_a_link_signs_in_once(browse: Browse, api: Api) -> None:
    services = api.services
    link = await new_link(services.database, "http://127.0.0.1", ADMIN, services.clock())
    browser = browse()
    assert "It works once" in await browser.get(link), "a preview does not use it up"
    assert "bootstrap" in (await browser.http.post(link)).text
    assert (await browse().http.post(link)).status_code == 401


async def test_an_old_link_or_one_of_another_token_signs_nobody_in(
    browse: Browse, api: Api, db: asyncpg.Pool
) -> None:
    services = api.services
    other = await new_link(services.database, "http://127.0.0.1", "x" * 20, services.clock())
    assert (await browse().http.post(other)).status_code == 401
    old = await new_link(services.database, "http://127.0.0.1", ADMIN, services.clock())
    await db.execute("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
    assert (await browse().http.post(old)).status_code == 401
