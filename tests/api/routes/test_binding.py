"""Secrets of before they were bound to their places: bound once, by whoever needs them first, and
refused from then on."""

import asyncio

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core.errors import PermanentError
from app.settings import Settings
from app.store.config import sealed_secrets
from app.store.config.vault import Vault, is_bound
from app.sync.upkeep import secrets_watch
from app.wiring import open_services
from tests.api.conftest import Jira, running
from tests.api.routes.test_secrets import FORMER, NEWEST, doctor, keyed, rotated, run
from tests.store.config.test_vault import unbound
from tests.support.deliveries import link_event, signature

WEBHOOK_SECRET = "webhook secret of left"


async def forget_binding(migrate_url: str) -> None:
    """As before the migration: only the owner of the schema can."""
    conn = await asyncpg.connect(migrate_url)
    try:
        await conn.execute("ALTER TABLE secrets_bound DISABLE TRIGGER USER")
        await conn.execute("DELETE FROM secrets_bound")
        await conn.execute(
            "ALTER TABLE secrets_bound ENABLE ALWAYS TRIGGER secrets_bound_no_change"
        )
    finally:
        await conn.close()


async def unbind(db: asyncpg.Pool, site: str, key: str = FORMER) -> None:
    """Put the secrets of a site into the form of before."""
    vault = Vault([FORMER])
    async with db.acquire() as conn:
        [row] = [it for it in await sealed_secrets.every(conn) if it.home.site == site]
        anew = dict[str, bytes]()
        for name, sealed in row.sealed.items():
            read = vault.open if is_bound(sealed) else vault.open_unbound
            anew[name] = unbound(key, read(sealed, row.home, name))
        await sealed_secrets.store(conn, row.id, anew)


@pytest.fixture
async def old(settings: Settings, db: asyncpg.Pool, jira: Jira, migrate_url: str) -> Jira:
    """Two sites as the version before has stored them; no process runs."""
    async with running(settings) as api:
        for served in (jira.left, jira.right):
            put = await api.client().put(f"{V1}/sites/{served.site.name}", json=jira.body(served))
            assert put.status_code == 201
        changed = jira.body(jira.left, webhook_secret="another webhook secret")
        assert (await api.client().put(f"{V1}/sites/left", json=changed)).status_code == 200
    for name in ("left", "right"):
        await unbind(db, name)
    await forget_binding(migrate_url)
    return jira


async def all_bound(db: asyncpg.Pool) -> bool:
    async with db.acquire() as conn:
        found = await sealed_secrets.every(conn)
    return all(is_bound(it) for site in found for it in site.sealed.values())


async def test_the_first_start_binds_them_and_all_goes_on(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    assert await doctor(settings) == ("warn", "5 not bound to their sites yet")
    async with running(settings) as api:
        assert await all_bound(db)
        assert await db.fetchval("SELECT count(*) FROM secrets_bound") == 1
        for name in ("left", "right"):
            check = await api.client().post(f"{V1}/sites/{name}/check")
            assert check.json()["ok"], check.text
        for secret in ("another webhook secret", WEBHOOK_SECRET):
            raw = link_event(len(secret))
            headers = {"X-Hub-Signature": signature(raw, secret)}
            answer = await api.client(None).post(
                "/webhooks/jira/left", content=raw, headers=headers
            )
            assert answer.status_code == 202, secret
    assert await doctor(settings) == ("ok", "5 sealed with the newest key")


async def test_a_worker_binds_them_too_and_processes_at_once_do_it_once(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    site = await db.fetchval("SELECT id FROM sites WHERE name = 'left'")
    async with open_services(settings) as one, open_services(settings) as other:
        await asyncio.gather(one.sites.client(site), other.sites.client(site))
    assert await all_bound(db)
    versions = await db.fetch("SELECT version FROM sites ORDER BY id")
    assert [row[0] for row in versions] == [4, 3], "each site was changed once"


async def test_each_keeps_the_key_that_opened_it(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """While a new key is rolled out, a process that has the former one alone goes on reading."""
    async with running(keyed(settings, NEWEST, FORMER)):
        assert await all_bound(db)
    async with running(settings) as api:
        assert (await api.client().post(f"{V1}/sites/left/check")).json()["ok"]


async def test_a_command_for_webhooks_binds_before_it_reads(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    old.left.site.user("twinlink").admin = True
    url = "https://twinlink.example.org"
    command = ("webhooks", "register", "left", "--url", url)
    made = await run(settings, *command, ALLOW_PRIVATE_SITES="true")
    assert made.exit_code == 0, made.stderr
    assert [it.url for it in old.left.site.webhooks.values()] == [f"{url}/webhooks/jira/left"]


async def test_the_api_binds_before_it_reads_where_its_start_could_not(
    old: Jira, settings: Settings, db: asyncpg.Pool, migrate_url: str
) -> None:
    async with running(settings) as api:
        client = api.client()
        for call in ("check", "projects", "put"):
            for name in ("left", "right"):
                await unbind(db, name)
            await forget_binding(migrate_url)
            # As of a process that found no PostgreSQL when it started.
            vars(api.services).pop("binding")
            if call == "check":
                done = await client.post(f"{V1}/sites/left/check")
            elif call == "projects":
                done = await client.get(f"{V1}/sites/left/projects")
            else:
                body = old.body(old.left, account_dedicated=False)
                done = await client.put(f"{V1}/sites/left", json=body)
            assert done.status_code == 200, (call, done.text)
            assert await all_bound(db)


async def test_a_rotation_binds_them(old: Jira, settings: Settings, db: asyncpg.Pool) -> None:
    found = await rotated(keyed(settings, NEWEST, FORMER))
    assert (found["bound"], found["rotated"], found["current"]) == (5, 5, 0)
    assert (found["complete"], found["exit"]) == (True, 0)
    assert await all_bound(db)
    async with running(keyed(settings, NEWEST)) as api:
        assert (await api.client().post(f"{V1}/sites/left/check")).json()["ok"]


async def test_with_a_key_missing_none_is_lost_and_the_mark_waits(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """A process that was started with half of the keys must not make the other half useless."""
    await unbind(db, "right", NEWEST)
    async with running(settings) as api:
        assert (await api.client().post(f"{V1}/sites/left/check")).json()["ok"]
        lost = await api.client().post(f"{V1}/sites/right/check")
        assert (lost.status_code, lost.json()["code"]) == (409, "secret_key_wrong")
        ctx, vault = api.services.context, api.services.vault
        assert await secrets_watch.run_once(ctx, vault) == 1
        [it] = (await api.client().get(f"{V1}/incidents")).json()["items"]
        assert (it["kind"], it["impact"], it["site"]) == ("secret_misplaced", "minor", "right")
        shown = (await api.client().get(f"{V1}/incidents/{it['id']}")).text
        assert "No key of TWINLINK_SECRET_KEY opens auth, webhook_secret of this site" in shown
        assert "written past the service" not in shown
    assert await db.fetchval("SELECT count(*) FROM secrets_bound") == 0
    async with running(keyed(settings, FORMER, NEWEST)) as api:
        assert (await api.client().post(f"{V1}/sites/right/check")).json()["ok"]
        assert await secrets_watch.run_once(api.services.context, api.services.vault) == 0
    assert await db.fetchval("SELECT count(*) FROM secrets_bound") == 1
    assert await all_bound(db)


async def test_a_replaced_secret_whose_day_is_over_holds_nothing_up(
    old: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """Nothing may use it, so its key may be gone."""
    await db.execute(
        """UPDATE sites SET previous_secret_sealed = $1,
               previous_secret_until = now() - interval '1 second' WHERE name = 'left'""",
        unbound("a key that is gone 0123456789abcdef", WEBHOOK_SECRET),
    )
    async with running(settings):
        assert await db.fetchval("SELECT count(*) FROM secrets_bound") == 1
    assert await all_bound(db)


async def test_what_is_unbound_afterwards_is_refused_for_good(
    client: httpx.AsyncClient, sites: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """It comes out of a backup, by the hand of somebody who may have moved it."""
    await unbind(db, "left")
    before = len(sites.left.site.requests)
    check = await client.post(f"{V1}/sites/left/check")
    assert (check.status_code, check.json()["code"]) == (409, "secret_unbound"), check.text
    assert "site put left --base-url" in check.json()["detail"]
    async with running(settings) as again, open_services(settings) as worker:
        assert (await again.client().post(f"{V1}/sites/left/check")).status_code == 409
        site = await db.fetchval("SELECT id FROM sites WHERE name = 'left'")
        with pytest.raises(PermanentError, match="secret_unbound"):
            await worker.sites.client(site)
    found = await rotated(settings)
    assert (found["bound"], found["exit"]) == (0, 1)
    assert {"site": "left", "secret": "auth", "code": "secret_unbound"} in found["unusable"]
    assert not await all_bound(db)
    assert (await doctor(settings))[0] == "fail"
    assert len(sites.left.site.requests) == before
    body = sites.body(sites.left)
    assert (await client.put(f"{V1}/sites/left", json=body)).status_code == 200
    assert (await client.post(f"{V1}/sites/left/check")).json()["ok"]
    assert await doctor(settings) == ("ok", "4 sealed with the newest key")


async def test_a_rotation_leaves_what_is_misplaced_as_it_is(
    sites: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """Sealed again it would belong to where it was moved to."""
    await db.execute("UPDATE sites SET base_url = 'https://other.example' WHERE name = 'left'")
    before = await db.fetchrow("SELECT * FROM sites WHERE name = 'left'")
    found = await rotated(keyed(settings, NEWEST, FORMER))
    assert (found["rotated"], found["complete"], found["exit"]) == (2, True, 1)
    assert {it["code"] for it in found["unusable"]} == {"secret_misplaced"}
    assert await db.fetchrow("SELECT * FROM sites WHERE name = 'left'") == before
    status, detail = await doctor(keyed(settings, NEWEST, FORMER))
    assert (status, detail) == (
        "fail",
        "sealed for another place: auth of left, webhook_secret of left",
    )


async def test_a_new_installation_is_bound_from_its_start(
    client: httpx.AsyncClient, db: asyncpg.Pool, migrate_url: str
) -> None:
    assert await db.fetchval("SELECT count(*) FROM secrets_bound") == 1
    owner = await asyncpg.connect(migrate_url)
    try:
        for statement in (
            "DELETE FROM secrets_bound",
            "UPDATE secrets_bound SET bound_at = now()",
            "TRUNCATE secrets_bound",
        ):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(statement)
    finally:
        await owner.close()
