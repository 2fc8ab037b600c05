"""A page that refreshes itself does so no longer than its session lasts."""

import asyncio
import time
from collections.abc import Callable

import pytest

from app.api.auth.roles import V1
from app.console import live
from app.process.event_streams import PER_SESSION
from tests.api.conftest import Api
from tests.console.conftest import Browser

Browse = Callable[[], Browser]
SOON = 2.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page itself is looked at so seldom that its own refusal cannot be what ends it."""
    monkeypatch.setattr(live, "SECONDS", 60.0)


async def followed(browser: Browser) -> "asyncio.Task[str]":
    """The stream of the first page, once it is open."""
    opened = asyncio.Event()
    looked = live._look

    async def look(*given: object) -> bytes | None:
        shown = await looked(*given)  # type: ignore[arg-type]
        opened.set()
        return shown

    async def read() -> str:
        return (await browser.http.get("/live?path=/")).text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "_look", look)
        task = asyncio.create_task(read())
        async with asyncio.timeout(20):
            await opened.wait()
    return task


async def ends(stream: "asyncio.Task[str]") -> float:
    began = time.monotonic()
    async with asyncio.timeout(20):
        assert "event: over" in await stream
    return time.monotonic() - began


@pytest.mark.usefixtures("patient")
async def test_signing_out_ends_the_open_stream(browse: Browse) -> None:
    browser, same = browse(), browse()
    await browser.sign_in()
    stream = await followed(browser)
    same.http.cookies.update(dict(browser.http.cookies))
    await same.get("/")
    await same.send("/sign-out")
    assert await ends(stream) <= SOON


@pytest.mark.usefixtures("patient")
async def test_a_revoked_token_ends_the_open_stream(browse: Browse, api: Api) -> None:
    made = (await api.client().post(f"{V1}/tokens", json={"role": "viewer", "owner": "eva"})).json()
    browser = browse()
    await browser.sign_in(made["token"])
    stream = await followed(browser)
    await api.client().delete(f"{V1}/tokens/{made['id']}")
    assert await ends(stream) <= SOON


async def test_the_streams_of_a_session_are_bounded(browse: Browse, api: Api) -> None:
    """The pages that are open go on; the next one is told no, and another session has its own."""
    browser, other = browse(), browse()
    await browser.sign_in()
    await other.sign_in()
    streams = [await followed(browser) for _ in range(PER_SESSION)]
    try:
        refused = await browser.http.get("/live?path=/")
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["detail"] == f"at most {PER_SESSION} open streams per session"
        assert not any(it.done() for it in streams)
        streams.append(await followed(other))
    finally:
        for it in streams:
            it.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    again = await followed(browser)
    again.cancel()
