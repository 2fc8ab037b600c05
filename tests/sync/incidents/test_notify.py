"""Messages reach a real receiver through Apprise: once an hour per key, so many a minute, again
after a failure, and never in anybody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.errors import TransientError
from app.store.alerts import notifications
from app.sync.incidents import apprise_sender, notify
from app.sync.incidents.notify import Targets
from tests.support.engine import Lab, World, open_lab


@dataclass
class Receiver:
    """An HTTP server that answers with the next of *answers*, then 200, and keeps what came."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        self.got.append(json.loads(await reader.readexactly(length)))
        status = self.answers.pop(0) if self.answers else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    @property
    def titles(self) -> list[str]:
        return [it["title"] for it in self.got]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.url = f"json://user:hunter2@127.0.0.1:{port}/"
    async with server:
        yield made


@pytest.fixture
async def lab(db_url: str) -> AsyncIterator[Lab]:
    async with open_lab(db_url) as lab:
        yield lab


@pytest.fixture
async def world(lab: Lab) -> AsyncIterator[World]:
    made = lab.world()
    yield made
    await made.aclose()


async def put(world: World, key: str, *, paging: bool = False, title: str = "") -> bool:
    async with world.database.transaction() as conn:
        return await notifications.put(
            conn, key, title=title or key, body="It is so.", paging=paging, now=world.now()
        )


def counted(world: World, status: str) -> float:
    found = world.ctx.metrics.registry.get_sample_value(
        "twinlink_notifications_total", {"status": status}
    )
    return found or 0.0


async def sends(world: World) -> list[tuple[str, str, int]]:
    async with world.database.connection() as conn:
        rows = await conn.fetch(
            "SELECT target, status, tries FROM notification_sends ORDER BY notification_id, target"
        )
    return [tuple(row) for row in rows]


async def test_a_message_arrives_whole(world: World) -> None:
    async with receiver() as there:
        await put(world, "a", title="The guard holds removals")
        assert await notify.run_once(world.ctx, Targets.of([there.url], [], 10)) == 1
        assert await notify.run_once(world.ctx, Targets.of([there.url], [], 10)) == 0
    [got] = there.got
    assert (got["title"], got["message"]) == ("The guard holds removals", "It is so.")
    assert counted(world, "sent") == 1


async def test_once_an_hour_per_key_and_the_rest_is_counted(world: World) -> None:
    async with receiver() as there:
        targets = Targets.of([there.url], [], 10)
        assert [await put(world, "a") for _ in range(4)] == [True, False, False, False]
        assert await put(world, "b")
        await notify.run_once(world.ctx, targets)
        world.clock.tick(3600)
        assert await put(world, "a")
        assert not await put(world, "a")
        await notify.run_once(world.ctx, targets)
    assert there.titles == ["a", "b", "a"]
    assert "3 more" in there.got[2]["message"]
    assert "more" not in there.got[0]["message"]
    assert counted(world, "suppressed") == 3


async def test_a_key_that_many_tell_at_once_is_told_once(world: World) -> None:
    told = await asyncio.gather(*(put(world, "a") for _ in range(6)))
    assert sum(told) == 1


async def test_so_many_a_minute_over_all_workers_and_pages_first(world: World) -> None:
    async with receiver() as there:
        targets = Targets.of([there.url], [], 2)
        for number in range(4):
            await put(world, f"ticket {number}")
        await put(world, "page", paging=True)
        for _ in range(2):
            await asyncio.gather(*(notify.run_once(world.worker(), targets) for _ in range(3)))
        # What several workers send at one moment may arrive in any order.
        assert sorted(there.titles) == ["page", "ticket 0"]
        world.clock.tick(60)
        await asyncio.gather(*(notify.run_once(world.worker(), targets) for _ in range(3)))
        assert sorted(there.titles[2:]) == ["ticket 1", "ticket 2"]


async def test_only_pages_reach_the_pager(world: World) -> None:
    async with receiver() as desk, receiver() as pager:
        await put(world, "ticket")
        await put(world, "page", paging=True)
        await notify.run_once(world.ctx, Targets.of([desk.url], [pager.url], 10))
    assert sorted(desk.titles) == ["page", "ticket"]
    assert pager.titles == ["page"]


async def test_a_failure_is_tried_again_later_and_bothers_no_other_target(world: World) -> None:
    async with receiver() as bad, receiver() as good:
        targets = Targets.of([bad.url, good.url], [], 60)
        bad.answers = [500, 500]
        await put(world, "a")
        with capture_logs() as said:
            assert await notify.run_once(world.ctx, targets) == 1
        assert await notify.run_once(world.ctx, targets) == 0, "not at once"
        assert await sends(world) == [("notify-1", "waiting", 1), ("notify-2", "sent", 1)]
        for _ in range(2):
            world.clock.tick(40)
            await notify.run_once(world.ctx, targets)
        assert await sends(world) == [("notify-1", "sent", 3), ("notify-2", "sent", 1)]
    assert (len(bad.got), len(good.got)) == (3, 1)
    [line] = [it for it in said if it["event"] == "notification_failed"]
    assert line["target"] == "notify-1"
    assert "hunter2" not in repr(said)
    assert counted(world, "retried") == 2


async def test_after_its_tries_it_is_given_up(world: World) -> None:
    async with receiver() as there:
        targets = Targets.of([there.url], [], 60)
        there.answers = [500] * 20
        await put(world, "a")
        for _ in range(12):
            await notify.run_once(world.ctx, targets)
            world.clock.tick(1801)
    assert await sends(world) == [("notify-1", "failed", notifications.TRIES)]
    assert counted(world, "failed") == 1


@pytest.mark.parametrize("url", ["bogus://nowhere", "json://127.0.0.1:9/", "json://:::/"])
async def test_a_target_that_cannot_work_only_fails(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await put(world, "a")
    assert await notify.run_once(world.ctx, Targets.of([url + "hunter2"], [], 60)) == 0
    assert "hunter2" not in caplog.text
    assert await sends(world) == [("notify-1", "waiting", 1)]


async def test_whatever_carrying_raises_stops_nothing(world: World) -> None:
    async def breaks(_url: str, _title: str, _body: str) -> None:
        raise RuntimeError("hunter2")

    await put(world, "a")
    targets = Targets({"notify-1": "x://y"}, {}, 60, breaks)
    assert await notify.run_once(world.ctx, targets) == 0
    assert await sends(world) == [("notify-1", "waiting", 1)]


async def test_one_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that takes the message and never answers."""
    monkeypatch.setattr(apprise_sender, "SECONDS", 0.05)
    released = asyncio.Event()

    async def silent(_reader: Any, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="notification_timeout"):
            await apprise_sender.carry(f"json://127.0.0.1:{port}/", "a", "b")
        released.set()


async def test_whoever_dies_while_sending_leaves_it_to_the_next(world: World) -> None:
    await put(world, "a")
    async with receiver() as there:
        targets = Targets.of([there.url], [], 60)

        async def dies(_url: str, _title: str, _body: str) -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await notify.run_once(world.ctx, Targets(targets.notify, {}, 60, dies))
        assert await notify.run_once(world.ctx, targets) == 0, "still leased"
        world.clock.tick(notify.LEASE.total_seconds() + 1)
        assert await notify.run_once(world.ctx, targets) == 1


async def test_yesterdays_news_is_not_sent(world: World) -> None:
    async with receiver() as there:
        targets = Targets.of([there.url], [], 60)
        there.answers = [500]
        await put(world, "a")
        await notify.run_once(world.ctx, targets)
        world.clock.tick(timedelta(hours=25).total_seconds())
        assert await notify.run_once(world.ctx, targets) == 0
    assert len(there.got) == 1
    assert counted(world, "expired") == 1


async def test_without_targets_nothing_piles_up(world: World) -> None:
    await put(world, "a")
    assert await notify.run_once(world.ctx, Targets()) == 0
    async with receiver() as there:
        assert await notify.run_once(world.ctx, Targets.of([there.url], [], 60)) == 0


async def test_a_copied_outbox_is_not_told_by_the_copy(world: World) -> None:
    await put(world, "guard_tripped:ab:minor")
    await put(world, "installation_mismatch::major")
    world.ctx.permit.refuse("installation_mismatch")
    async with receiver() as there:
        await notify.run_once(world.ctx, Targets.of([there.url], [], 60))
    assert there.titles == ["installation_mismatch::major"]


async def test_a_message_of_what_was_rolled_back_is_never_sent(world: World) -> None:
    async def roll_back() -> None:
        async with world.database.transaction() as conn:
            await notifications.put(conn, "a", title="a", body="", paging=False, now=world.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await roll_back()
    async with receiver() as there:
        assert await notify.run_once(world.ctx, Targets.of([there.url], [], 60)) == 0
