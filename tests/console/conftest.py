"""The console of a running service, visited as a browser without scripts would."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from html import unescape

import httpx
import pytest

from tests.api.conftest import ADMIN, Api, api, client, connected, flow, jira, sites

__all__ = ["api", "client", "connected", "flow", "jira", "sites"]

CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class Browser:
    """Keeps cookies and follows redirects; `send` posts with the page's CSRF token."""

    http: httpx.AsyncClient
    csrf: str = ""
    seen: list[str] = field(default_factory=list)

    async def get(self, path: str, code: int = 200) -> str:
        answer = await self.http.get(path)
        assert answer.status_code == code, f"{path}: {answer.status_code}"
        found = CSRF.search(answer.text)
        self.csrf = found[1] if found else self.csrf
        self.seen.append(path)
        return answer.text

    async def send(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data={"csrf": self.csrf, **fields})

    async def sign_in(self, token: str = ADMIN, **more: str) -> httpx.Response:
        return await self.http.post("/sign-in", data={"token": token, **more})


@pytest.fixture
async def browse(api: Api) -> AsyncIterator[Callable[[], Browser]]:
    made: list[httpx.AsyncClient] = []

    def new() -> Browser:
        made.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(api.app),
                base_url="http://127.0.0.1",
                follow_redirects=True,
            )
        )
        return Browser(made[-1])

    yield new
    for one in made:
        await one.aclose()


@pytest.fixture
async def browser(browse: Callable[[], Browser]) -> Browser:
    """Signed in as the administrator."""
    made = browse()
    assert (await made.sign_in()).status_code == 200
    return made


def text_of(page: str) -> str:
    """What a reader sees of a page, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
