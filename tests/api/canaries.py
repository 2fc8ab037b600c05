"""A world full of people: everything that a human wrote or is called by holds one word, which may
appear nowhere in what we keep or say. And the search for it."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import httpx
import orjson
import structlog

from app.sandbox import Flavour, JiraSite
from app.sandbox.model import CustomField
from app.sandbox.people import person_on
from app.telemetry import configure_logging

WORD = "zqcanary"
_NUMBERS = count(1)


def canary(kind: str) -> str:
    """Told apart, so that a find says where it came from. Two words: no pattern knows them."""
    return f"{WORD} {kind}{next(_NUMBERS)}"


def found_in(text: str | bytes) -> list[str]:
    """Every canary in *text*, also as PostgreSQL prints bytes, with what stands around it."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    low, forms = plain.lower(), (WORD, WORD.encode().hex())
    return [plain[max(0, at - 80) : at + 80] for form in forms for at in _places(low, form)]


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def people(site: JiraSite, *names: str) -> None:
    """Everybody but our own account is known by a canary, whatever the API shows of them."""
    for name in names:
        user = site.add_user(name, canary("display"), email=f"{WORD}.{name}@example.org")
        user.account_id, user.key = f"{WORD}-account-{name}", f"{WORD}-key-{name}"


def world(name: str, flavour: Flavour, project: str) -> tuple[JiraSite, CustomField]:
    """Five issues with every human field filled in; the field names twins, or says something."""
    site = JiraSite(name, flavour)
    people(site, "ann", "bot")
    site.add_user("twinlink", canary("display"))
    site.add_project(project, canary("project"))
    site.add_link_type("Blocks", "blocks", "is blocked by")
    site.add_link_type("Relates", "relates to")
    twin = site.add_custom_field("Twin")
    notes = site.add_custom_field(canary("field"))
    ann = person_on(site, "ann")
    for number in range(1, 6):
        issue = ann.create(project, canary("summary"), canary("description"))
        issue.labels, issue.assignee = (canary("label").replace(" ", "-"),), "ann"
        issue.properties[canary("property")] = {"said": canary("value")}
        issue.remotes[number] = {"object": {"title": canary("remote"), "url": f"https://{WORD}.io"}}
        ann.comment(issue.key, canary("comment"))
        ann.edit(issue.key, **{notes.id: canary("note")})
    return site, twin


def gossip(body: bytes) -> bytes:
    """A right answer in which every text, numbers of ids included, is somebody's words."""
    return orjson.dumps(_spoken(orjson.loads(body or b"null")))


def jumbled(body: bytes) -> bytes:
    """A right answer whose lists are texts and whose objects are lists."""
    return orjson.dumps(_jumbled(orjson.loads(body or b"null")))


def _spoken(value: Any) -> Any:
    match value:
        case dict():
            return {name: _spoken(it) for name, it in value.items()}
        case list():
            return [_spoken(it) for it in value]
        case str() | int() if not isinstance(value, bool):
            return canary("answer")
        case _:
            return value


def _jumbled(value: Any) -> Any:
    match value:
        case dict() if any(isinstance(it, dict | list) for it in value.values()):
            return {name: _jumbled(it) for name, it in value.items()}
        case dict():
            return [canary("answer"), *value]
        case list():
            return canary("answer")
        case _:
            return value


@dataclass
class Evidence:
    """What was said: the log at its most talkative, and every answer of the API."""

    log: io.StringIO = field(default_factory=io.StringIO)
    answers: list[str] = field(default_factory=list)

    async def hear(self, response: httpx.Response) -> None:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            await response.aread()
            self.answers.append(response.text)

    def betrayed(self) -> list[str]:
        return [*found_in(self.log.getvalue()), *found_in("\n".join(self.answers))]


@contextmanager
def listening() -> Iterator[Evidence]:
    """Logging as a process has it, into a text; put back after."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    made = Evidence()
    configure_logging("debug", "json", stream=made.log)
    try:
        yield made
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()


async def dumped(conn: asyncpg.Connection | asyncpg.Pool) -> dict[str, str]:
    """Every row of every table, as text."""
    names = await conn.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')"
        " AND relnamespace = 'public'::regnamespace ORDER BY relname"
    )
    dump = {}
    for (name,) in names:
        rows = await conn.fetch(f'SELECT t::text AS row FROM "{name}" t')  # noqa: S608
        dump[name] = "\n".join(row["row"] for row in rows)
    return dump


@asynccontextmanager
async def owner_of(url: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(url)
    try:
        yield conn
    finally:
        await conn.close()
