"""Rotating the key that credentials are sealed with: nothing is lost, and the former one may go."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from app.api.auth.roles import V1
from app.cli.main import app as commands
from app.settings import Settings
from app.store.config.vault import Vault
from app.store.secret_homes import COLUMNS, WEBHOOK, Home
from app.sync.sites.rotation import rotate
from tests.api.conftest import Api, Jira, running

FORMER, NEWEST = "test-secret-key-0123456789abcdef", "the newest key 0123456789abcdef01"


def keyed(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": tuple(map(SecretStr, keys))})


async def run(settings: Settings, *arguments: str, **more: str) -> Result:
    """A command beside the service, in a thread: it has an event loop of its own."""
    assert settings.database_url is not None
    env = {
        "TWINLINK_DATABASE_URL": settings.database_url.get_secret_value(),
        "TWINLINK_SECRET_KEY": ",".join(key.get_secret_value() for key in settings.secret_key),
        "TWINLINK_DATA_DIR": "/nowhere",
        **{f"TWINLINK_{name}": value for name, value in more.items()},
    }
    return await asyncio.to_thread(CliRunner().invoke, commands, arguments, env=env)


async def rotated(settings: Settings) -> Any:
    result = await run(settings, "secrets", "rotate", "--json")
    return json.loads(result.stdout) | {"exit": result.exit_code}


async def doctor(settings: Settings) -> tuple[str, str]:
    """What it says of the secrets, whatever else it found."""
    result = await run(settings, "doctor", "--json")
    checks = json.loads(result.stdout)["checks"]
    [check] = [it for it in checks if it["name"] == "sealed secrets"]
    return check["status"], check["detail"]


async def home_of(db: asyncpg.Pool, site: str) -> Home:
    row = await db.fetchrow(
        "SELECT name, base_url, identity, ca_certificates FROM sites WHERE name = $1", site
    )
    assert row is not None
    return Home(*row)


@pytest.fixture
async def stored(client: httpx.AsyncClient, sites: Jira) -> Jira:
    """Two sites; the left one's webhook secret was replaced a moment ago."""
    body = sites.body(sites.left, webhook_secret="another webhook secret")
    assert (await client.put(f"{V1}/sites/left", json=body)).status_code == 200
    return sites


async def test_the_doctor_names_sites_with_a_short_webhook_secret(
    api: Api, stored: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """Such as were stored before a least length was asked for."""

    async def named() -> list[str]:
        result = await run(settings, "doctor", "--json")
        checks = json.loads(result.stdout)["checks"]
        return [it["detail"] for it in checks if it["name"] == "webhook secrets"]

    assert await named() == []
    await db.execute(
        "UPDATE sites SET webhook_secret_sealed = $1 WHERE name = 'right'",
        api.services.vault.seal("fifteen letters", await home_of(db, "right"), WEBHOOK),
    )
    assert await named() == ["too short: right"]


async def test_after_a_rotation_the_former_key_may_go(
    stored: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    both = keyed(settings, NEWEST, FORMER)
    assert await doctor(both) == ("warn", "5 of 5 sealed with an old key")
    assert await rotated(both) == {
        "rotated": 5,
        "current": 0,
        "bound": 0,
        "forgotten": 0,
        "unreadable": [],
        "unusable": [],
        "complete": True,
        "exit": 0,
    }
    again = await rotated(both)
    assert (again["rotated"], again["current"], again["exit"]) == (0, 5, 0)
    alone = keyed(settings, NEWEST)
    assert await doctor(alone) == ("ok", "5 sealed with the newest key")
    async with running(alone) as api:
        for name in ("left", "right"):
            checked = await api.client().post(f"{V1}/sites/{name}/check")
            assert checked.json()["ok"], checked.text
        sender = await api.app.state.inbox.sender("left")
        assert sender.secrets(api.services.clock()) == (
            b"another webhook secret",
            b"webhook secret of left",
        )


async def test_with_a_key_missing_nothing_is_lost(
    stored: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    before = await db.fetch("SELECT s::text FROM sites s ORDER BY id")
    wrong = keyed(settings, NEWEST)
    status, detail = await doctor(wrong)
    assert status == "fail"
    assert "auth of left" in detail
    found = await rotated(wrong)
    assert (found["exit"], found["rotated"], found["complete"]) == (1, 0, False)
    assert {"site": "right", "secret": "webhook_secret"} in found["unreadable"]
    assert len(found["unreadable"]) == 5
    assert await db.fetch("SELECT s::text FROM sites s ORDER BY id") == before
    said = await run(wrong, "secrets", "rotate")
    assert "left: no key of TWINLINK_SECRET_KEY can decrypt its auth" in said.stderr
    assert (await rotated(keyed(settings, NEWEST, FORMER)))["exit"] == 0


async def test_without_any_key_it_says_so(settings: Settings) -> None:
    result = await run(keyed(settings), "secrets", "rotate")
    assert result.exit_code == 1
    assert "TWINLINK_SECRET_KEY is not set" in result.stderr


class Breaking(Vault):
    """Fails at the fourth secret: the process is killed in the middle of a run."""

    def __init__(self, *keys: str) -> None:
        super().__init__(keys)
        self.left = 3

    def seal(self, text: str, home: Home, column: str) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("killed")
        return super().seal(text, home, column)


async def test_an_interrupted_rotation_goes_on_where_it_was(
    stored: Jira, settings: Settings, db: asyncpg.Pool, api: Any
) -> None:
    database, clock = api.services.database, api.services.clock
    with pytest.raises(RuntimeError):
        await rotate(database, Breaking(NEWEST, FORMER), clock)
    found = await rotate(database, Vault([NEWEST, FORMER]), clock)
    assert (found.rotated, found.current) == (2, 3), "the first site was done and stays done"


async def test_what_was_read_before_a_rotation_is_not_stored_after_it(
    api: Any, client: httpx.AsyncClient, stored: Jira
) -> None:
    """Else it would bring back what only the former key opens."""
    services = api.services
    known = (await client.get(f"{V1}/sites/right")).headers["ETag"]
    await rotate(services.database, Vault([NEWEST, FORMER]), services.clock)
    body = stored.body(stored.right, web_url="https://jira.example.org")
    late = await client.put(f"{V1}/sites/right", json=body, headers={"If-Match": known})
    assert late.status_code == 412


async def test_a_replaced_secret_whose_day_is_over_is_forgotten(
    api: Any, stored: Jira, db: asyncpg.Pool
) -> None:
    await db.execute("UPDATE sites SET previous_secret_until = now() - interval '1 second'")
    found = await rotate(api.services.database, Vault([NEWEST, FORMER]), api.services.clock)
    assert (found.rotated, found.forgotten) == (4, 1)


async def test_who_lost_the_key_can_store_new_secrets(stored: Jira, settings: Settings) -> None:
    async with running(keyed(settings, NEWEST)) as api:
        client = api.client()
        checked = await client.post(f"{V1}/sites/left/check")
        assert (checked.status_code, checked.json()["code"]) == (409, "secret_key_wrong")
        body = stored.body(stored.left)
        del body["webhook_secret"]
        refused = await client.put(f"{V1}/sites/left", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "secret_key_wrong")
        anew = await client.put(f"{V1}/sites/left", json=stored.body(stored.left))
        assert anew.status_code == 200, anew.text
        assert anew.json()["previous_secret_until"] is None
        assert (await client.post(f"{V1}/sites/left/check")).json()["ok"]


async def test_every_sealed_column_is_known(db: asyncpg.Pool) -> None:
    """One that is forgotten would be lost with the former key."""
    rows = await db.fetch(
        """SELECT table_name, column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_name LIKE '%sealed' AND data_type = 'bytea'"""
    )
    assert {(row[0], row[1]) for row in rows} == {("sites", name) for name in COLUMNS}
