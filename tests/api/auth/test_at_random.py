"""A confined token at random: whatever it calls, with whatever names, ids, queries and bodies,
nothing of the connection that has its connection's name now is shown or changed."""

from random import Random
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1, Role
from app.store.access import tokens
from app.store.access.tokens import TokenRow
from tests.api.auth.test_confinement import opened, removed
from tests.api.conftest import Api, Jira, connection_body
from tests.api.flow import PAIRS

SECRET = "A-1"
"""A key that no call of the stranger names, so that only an answer about others can hold it."""
CALLS = 120
TABLES = (
    "connections", "revisions", "twins", "plans", "restores", "resyncs", "adoptions", "incidents",
    "guard_resets", "audit", "sites", "ledger",
)  # fmt: skip
ROLES = [role.value for role in Role]
BODIES: list[Any] = [
    {},
    {"mode": "create_only"},
    {"note": "mine now"},
    {"text": "mine now", "state": "resolved"},
    {"twins": [{"left": "A-6", "right": "B-6"}]},
    {"issues": ["A-2"]},
    {"connection": "ab", "operation": "remove"},
    {"connection": "ab", "site": "left", "account_id": "ann", "since": "2020-01-01T00:00:00Z",
     "until": "2030-01-01T00:00:00Z"},
    {"revision": 1, "undo": False},
    connection_body(on_mirror_removed="recreate"),
    {"config": connection_body(), "rollout": "full", "note": ""},
]  # fmt: skip


class Reached(AssertionError):
    """The stranger saw or changed what is not theirs."""


class Strangers:
    """A token of each role for a connection that is gone; its name is another tenant's now."""

    def __init__(self, api: Api, db: asyncpg.Pool, seed: int) -> None:
        self.api = api
        self.db = db
        self.random = Random(seed)
        self.holders: dict[str, httpx.AsyncClient] = {}
        self.digests: list[str] = []

    async def move_in(self) -> None:
        for role in ROLES:
            self.holders[role] = await self.api.token(role, connections=["ab"])
        admin = self.api.client()
        await self._done(admin.delete(f"{V1}/connections/ab"))
        await self._done(admin.put(f"{V1}/connections/ab", json=connection_body()))
        await self._done(admin.post(f"{V1}/connections/ab/twins", json=PAIRS))
        connection = await self.db.fetchval("SELECT max(id) FROM connections")
        await removed(self.db, connection)
        asked = {"connection": "ab", "operation": "remove"}
        await self._done(admin.post(f"{V1}/restores", json=asked))
        await self._done(admin.post(f"{V1}/connections/ab/resyncs", json={}))
        await opened(self.api, connection_id=connection)

    async def act(self) -> None:
        """Calls at random, then a look at what they left."""
        before = await self._state()
        for _ in range(CALLS):
            method, path = self.random.choice(self._routes())
            path = path.replace("{engine}", "0.1.0")
            for name in ("{name}", "{site}", "{id}", "{number}"):
                path = path.replace(name, self._place(name))
            role = self.random.choice(ROLES)
            answer = await self.holders[role].request(
                method,
                path,
                params=self.random.choice(({}, {"connection": "ab"}, {"issue": "A-2"})),
                json=None if method == "GET" else self.random.choice(BODIES),
            )
            if f'"{SECRET}"' in answer.text:
                raise Reached(f"{role} {method} {path} shows {answer.text[:200]}")
            after = await self._state()
            if after != before:
                changed = [it for it in TABLES if after[it] != before[it]]
                raise Reached(f"{role} {method} {path} {answer.status_code} changes {changed}")

    def _place(self, name: str) -> str:
        if name == "{name}":
            return "ab"
        if name == "{site}":
            return self.random.choice(("left", "right"))
        return str(self.random.randint(1, 6))

    def _routes(self) -> list[tuple[str, str]]:
        return [
            (method.upper(), path)
            for path, item in self.api.contract.document["paths"].items()
            for method in item
            # A stream has no end to wait for.
            if path.startswith(V1) and not path.endswith("/events")
        ]

    async def _state(self) -> dict[str, str]:
        return {
            it: await self.db.fetchval(
                f"SELECT coalesce(json_agg(t ORDER BY t)::text, '') FROM {it} t"  # noqa: S608
            )
            for it in TABLES
        }

    async def _done(self, call: Any) -> None:
        answer = await call
        assert answer.status_code < 300, answer.text


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_of_others_is_reached(
    api: Api, connected: Jira, db: asyncpg.Pool, seed: int
) -> None:
    strangers = Strangers(api, db, seed)
    await strangers.move_in()
    await strangers.act()


async def test_confinement_by_name_is_found(
    api: Api, connected: Jira, db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a token reaches whatever has the name that it was made for."""
    by_text = tokens.authenticate

    async def by_name(conn: Any, text: str, now: Any) -> TokenRow | None:
        token = await by_text(conn, text, now)
        if token is not None and token.confined_to is not None:
            ids = await conn.fetch("SELECT id FROM connections WHERE name = 'ab'")
            object.__setattr__(token, "confined_to", [it["id"] for it in ids])
        return token

    strangers = Strangers(api, db, 0)
    await strangers.move_in()
    monkeypatch.setattr(tokens, "authenticate", by_name)
    with pytest.raises(Reached):
        await strangers.act()
