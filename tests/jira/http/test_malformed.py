"""Answers that no Jira should give: each is a typed error or *not known*, never *not there*.

The sandbox answers truly, and the answer is spoilt on its way: cut off, doubled, nested, of wrong
types, not JSON at all. Whatever is read all the same has the link that is there.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import OutcomeUnknown, TransientError, TwinlinkError
from app.core.evidence import IssueView
from app.core.links import IssueId, IssueKey, LinkId, ProjectKey, TypeId
from app.jira.client import JiraClient, Options
from app.jira.http import transport as transport_module
from app.sandbox import Flavour, JiraSite, SiteApp
from app.sandbox.people import person_on
from tests.jira.conftest import access, small_site
from tests.support.assured import assured

Spoil = Callable[[bytes], bytes]
FLAVOURS: tuple[Flavour, ...] = ("cloud", "datacenter")
# Nothing that reads as an empty list, or as another id: no parser could tell those from the truth.
JUNK: tuple[object, ...] = (
    None,
    True,
    1.5,
    "",
    "x",
    "\u0663",
    "\x00",
    "\ud800",
    {},
    {"id": {}},
    [[]],
    [None],
    2**63,
)


class Spoilt(httpx.AsyncBaseTransport):
    """The sandbox behind somebody who spoils what it answers."""

    def __init__(self, site: JiraSite, spoil: Spoil, headers: dict[str, str] | None = None) -> None:
        self._inner = httpx.ASGITransport(app=SiteApp(site))
        self._spoil = spoil
        self._headers = headers or {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        body = self._spoil(await answer.aread())
        kept = {k: v for k, v in answer.headers.items() if k != "content-length"}
        return httpx.Response(answer.status_code, headers=kept | self._headers, content=body)


SITES = {flavour: small_site(flavour) for flavour in FLAVOURS}
LINKS = {name: person_on(site, "ann").link("A-1", "Blocks", "A-2") for name, site in SITES.items()}


class Questions:
    """Everything that can be asked; whatever is answered must have the link in it."""

    def __init__(self, client: JiraClient, site: JiraSite, link: LinkId) -> None:
        self.client = client
        self.link = link
        self.keys = [IssueKey("A-1"), IssueKey("A-2")]
        self.ends = [IssueId(str(site.issue(key).id)) for key in self.keys]

    async def ask(self) -> None:
        own = (self.issues, self.pages, self.resolved, self.by_id, self.changelog)
        for question in (*own, self.client.link_types, self.client.myself, self.client.identity):
            try:
                await question()
            except TwinlinkError as error:
                # No text of an answer enters an error, so it is short.
                self.check(len(error.detail) < 100)

    async def issues(self) -> None:
        reading = await self.client.read_issues(self.ends, changelog=True)
        self.check(set(reading.issues) | set(reading.unread) == set(self.ends))
        self.whole(reading.issues.values())

    async def pages(self) -> None:
        async for page in self.client.search_issues([ProjectKey("A")]):
            self.whole(view for view in page if view.ref.id in self.ends)

    async def resolved(self) -> None:
        self.whole((await self.client.resolve_keys(self.keys)).values())

    async def by_id(self) -> None:
        found = await self.client.get_link(self.link)
        self.check(found is not None and found.id == self.link)

    async def changelog(self) -> None:
        self.check(await self.client.changelog(self.ends[0]) is not None)

    def whole(self, views: Iterable[IssueView]) -> None:
        for view in views:
            self.check(view.links is None or self.link in {it.id for it in view.links})

    def check(self, holds: bool) -> None:
        assert holds


def ask_all(flavour: Flavour, spoil: Spoil, headers: dict[str, str] | None = None) -> None:
    async def run() -> None:
        site = SITES[flavour]
        client = JiraClient(access(site), http=Spoilt(site, spoil, headers))
        try:
            await Questions(client, site, LinkId(str(LINKS[flavour].id))).ask()
        finally:
            await client.aclose()

    asyncio.run(run())


def places(value: object) -> int:
    """How many values a document has, itself included."""
    if not isinstance(value, dict | list):
        return 1
    children = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(places, children))


def replaced(value: Any, at: int, junk: object) -> Any:
    """The document with its *at*-th value replaced."""
    if at == 0:
        return junk
    at -= 1
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, child in items:
        size = places(child)
        if at < size:
            changed = dict(value) if isinstance(value, dict) else list(value)
            changed[key] = replaced(child, at, junk)
            return changed
        at -= size
    raise AssertionError("no such place")


@given(st.sampled_from(FLAVOURS), st.integers(0, 10_000), st.sampled_from(JUNK))
def test_a_value_of_a_wrong_type_is_not_an_absence(
    flavour: Flavour, place: int, junk: object
) -> None:
    def spoil(body: bytes) -> bytes:
        value = json.loads(body)
        return json.dumps(replaced(value, place % places(value), junk)).encode()

    ask_all(flavour, spoil)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("junk", [{}, [], 1])
def test_a_key_that_is_no_text(flavour: Flavour, junk: object) -> None:
    """The places of the test above are many; this one broke."""

    def spoil(body: bytes) -> bytes:
        value = json.loads(body)
        if isinstance(value, dict):
            for issue in value.get("issues", [value]):
                issue["key"] = junk
        return json.dumps(value).encode()

    ask_all(flavour, spoil)


@given(st.sampled_from(FLAVOURS), st.floats(0, 1, exclude_max=True))
def test_a_truncated_answer_is_no_answer(flavour: Flavour, share: float) -> None:
    ask_all(flavour, lambda body: body[: int(len(body) * share)])


@given(st.sampled_from(FLAVOURS), st.binary(min_size=1, max_size=4), st.floats(0, 1))
def test_foreign_bytes_in_an_answer(flavour: Flavour, foreign: bytes, where: float) -> None:
    def spoil(body: bytes) -> bytes:
        at = int(len(body) * where)
        # Behind a control character, so that no valid document comes of it.
        return body[:at] + b"\x01" + foreign + body[at:]

    ask_all(flavour, spoil)


def doubled(value: Any, name: str, empty: object) -> Any:
    """Each object that has *name* has it once more, last, under a mark that `json` can write."""
    if isinstance(value, list):
        return [doubled(child, name, empty) for child in value]
    if not isinstance(value, dict):
        return value
    own = {key: doubled(child, name, empty) for key, child in value.items()}
    return own | ({f"again:{name}": empty} if name in value else {})


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", ["issuelinks", "issues", "fields", "values"])
@pytest.mark.parametrize("empty", [[], None, {}])
def test_a_name_that_comes_twice_hides_nothing(flavour: Flavour, name: str, empty: object) -> None:
    """The parser keeps the last of them: an empty list after the full one would read as gone."""

    def spoil(body: bytes) -> bytes:
        return json.dumps(doubled(json.loads(body), name, empty)).replace("again:", "").encode()

    ask_all(flavour, spoil)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("depth", [200, 990, 1010, 100_000])
def test_deep_nesting_is_refused(flavour: Flavour, depth: int) -> None:
    ask_all(flavour, lambda body: b"[" * depth + body + b"]" * depth)
    ask_all(flavour, lambda body: b'{"a":' * depth + body + b"}" * depth)
    ask_all(flavour, lambda body: body[:-1] + b',"x":' + b"[ " * depth + b"]" * depth + b"}")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Please log in</html>", {"content-type": "text/html"}),
        (b"<html>Please log in</html>", {"content-type": "application/json"}),
        (b"", {}),
        (b"null", {}),
        (b"[]", {}),
        (b"{}", {}),
        (b"\xff\xfe{\x00}\x00", {"content-type": "application/json; charset=utf-16"}),
        (b'{"issues":[],"issueErrors":[],"isLast":true', {}),
        (b"NaN", {}),
    ],
)
def test_a_page_that_is_no_answer(flavour: Flavour, body: bytes, headers: dict[str, str]) -> None:
    ask_all(flavour, lambda _: body, headers)


@pytest.mark.parametrize("kind", ["text/html", "text/html;charset=UTF-8", "application/xhtml+html"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_true_answer_that_says_to_be_a_web_page(flavour: Flavour, kind: str) -> None:
    ask_all(flavour, lambda body: body, {"content-type": kind})


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_answer_that_is_not_compact_is_read(flavour: Flavour) -> None:
    """The slow look for names that come twice must not refuse what has none."""

    async def run() -> None:
        site = SITES[flavour]
        end = IssueId(str(site.issue("A-1").id))
        spread = Spoilt(site, lambda body: json.dumps(json.loads(body), indent=2).encode())
        client = JiraClient(access(site), http=spread)
        reading = await client.read_issues([end], changelog=True)
        links = reading.issues[end].links or ()
        assert [it.id for it in links] == [str(LINKS[flavour].id)]
        await client.aclose()

    asyncio.run(run())


class Pieces(httpx.AsyncByteStream):
    """A body that comes in pieces; `read` says how many were taken."""

    def __init__(self, pieces: list[bytes], *, endless: bool = False) -> None:
        self._pieces = pieces
        self._endless = endless
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.read += 1
            yield piece
        if self._endless:
            await asyncio.Event().wait()


def served(site: JiraSite, stream: Pieces, headers: dict[str, str], **options: Any) -> JiraClient:
    http = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=stream))
    return assured(JiraClient(access(site), Options(**options), http=http))


async def test_a_compressed_bomb_is_given_up_on_the_way(
    cloud: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 1_000_000
    monkeypatch.setattr(transport_module, "BODY_LIMIT", limit)
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b" " * limit) + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(100)]
    assert sum(map(len, pieces)) < limit
    stream = Pieces(pieces)
    client = served(cloud, stream, {"content-encoding": "gzip"})
    with pytest.raises(TransientError) as caught:
        await client.link_types()
    assert (caught.value.code, caught.value.detail) == ("bad_answer", "body too large")
    assert stream.read <= 3, "what would not fit was not even unpacked"
    await client.aclose()


async def test_a_body_that_never_ends_is_a_time_out(cloud: JiraSite) -> None:
    """Each piece comes in time, and the whole does not."""
    client = served(cloud, Pieces([b"{", b" "], endless=True), {}, timeout_seconds=0.05)
    with pytest.raises(TransientError) as caught:
        await client.link_types()
    with pytest.raises(OutcomeUnknown) as unknown:
        await client.create_link(TypeId("1"), IssueId("11"), IssueId("12"))
    assert caught.value.code == unknown.value.code == "timeout"
    await client.aclose()
