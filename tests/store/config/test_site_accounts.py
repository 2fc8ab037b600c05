"""What a site was before: its accounts with their times, and what its types were called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.core.links import AccountId, LinkType, TypeId
from app.core.own_accounts import Tenure
from app.store.config import site_types, sites
from app.store.config.sites import Pins, SiteValues
from app.store.pool import Database, open_pool

AT = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = SiteValues(
    "https://x.example", None, "cloud", "basic", b"", b"", None, None, account_dedicated=True
)


def pins(account: str | None) -> Pins:
    return Pins("cloud:1", None if account is None else AccountId(account))


async def test_a_former_account_keeps_its_time(db_url: str) -> None:
    database = Database(await open_pool(db_url, low=1, high=1))
    async with database.transaction() as conn:
        site = await sites.insert(conn, "x", VALUES, pins("one"), AT)
        assert site is not None

        async def put(account: str | None, day: int) -> None:
            at = AT + timedelta(days=day)
            await sites.update(conn, site, replace(VALUES), pins(account), at)

        await put("one", 1)
        first = await sites.by_id(conn, site)
        assert first is not None
        assert (first.account_since, first.former_accounts) == (None, ())
        await put("two", 2)
        # Its credentials change while it is down, and a check finds the third account.
        await put(None, 3)
        await sites.record_check(conn, site, pins("three"), AT + timedelta(days=4))
        await sites.record_check(conn, site, pins("three"), AT + timedelta(days=5))
        row = await sites.by_id(conn, site)
    await database.close()
    assert row is not None
    assert (row.account_id, row.account_since) == ("three", AT + timedelta(days=4))
    assert row.former_accounts == (
        Tenure(AccountId("one"), None, AT + timedelta(days=2)),
        Tenure(AccountId("two"), AT + timedelta(days=2), AT + timedelta(days=3)),
    )


async def test_a_type_that_was_renamed_keeps_its_wordings(db_url: str) -> None:
    blocks = LinkType(TypeId("1"), "Blocks", "is blocked by", "blocks")
    stops = LinkType(TypeId("1"), "Stops", "is stopped by", "stops")
    database = Database(await open_pool(db_url, low=1, high=1))
    async with database.transaction() as conn:
        site = await sites.insert(conn, "x", VALUES, pins("one"), AT)
        assert site is not None
        for named in (blocks, stops, stops):
            await site_types.replace(conn, site, [named])
        (renamed,) = await site_types.of_site(conn, site)
        assert renamed.former == (("is blocked by", "blocks"),)
        await site_types.replace(conn, site, [blocks])
        (back,) = await site_types.of_site(conn, site)
        assert back.former == (("is stopped by", "stops"),)
    await database.close()
