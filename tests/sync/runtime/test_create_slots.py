"""How many creates of one site may be reserved and not sent yet: who waits, and for whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from app.sync.runtime.create_slots import ROOM, Turns
from app.sync.writes.create import BATCH

SITE = 1


@asynccontextmanager
async def asking(
    turns: Turns, *, writes: int, site: int = SITE, bulk: bool = True
) -> AsyncIterator[asyncio.Task[AsyncExitStack]]:
    """A runner that asks for its turn; its task ends with what it holds."""

    async def ask() -> AsyncExitStack:
        held = AsyncExitStack()
        await held.enter_async_context(turns.take(site, bulk=bulk, writes=writes))
        return held

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    yield task
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def idle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_batch_fits() -> None:
    """One that needs more than there is would wait for ever."""
    assert BATCH <= ROOM


async def test_what_does_not_fit_waits_until_room_is_given_back() -> None:
    turns = Turns()
    async with asking(turns, writes=ROOM - 10) as first, asking(turns, writes=11) as second:
        await idle()
        assert first.done()
        assert not second.done()
        await (await first).aclose()
        await asyncio.wait_for(second, 5)


async def test_first_come_first_served() -> None:
    """A big one is not passed by the small ones that come after it."""
    turns = Turns()
    async with (
        asking(turns, writes=50) as first,
        asking(turns, writes=ROOM) as big,
        asking(turns, writes=1) as small,
    ):
        await idle()
        assert not small.done(), "there is room for one, but it is not its turn"
        await (await first).aclose()
        await (await asyncio.wait_for(big, 5)).aclose()
        await asyncio.wait_for(small, 5)


@pytest.mark.parametrize("other", [{"site": 2}, {"bulk": False}])
async def test_other_sites_and_live_changes_do_not_wait(other: dict[str, int]) -> None:
    turns = Turns()
    async with asking(turns, writes=ROOM) as first, asking(turns, writes=ROOM, **other) as apart:  # type: ignore[arg-type]
        await idle()
        assert first.done()
        assert apart.done()


async def test_whoever_gives_up_takes_nothing_along() -> None:
    turns = Turns()
    async with asking(turns, writes=ROOM) as first:
        async with asking(turns, writes=1) as impatient:
            await idle()
            assert not impatient.done()
        await (await first).aclose()
        async with asking(turns, writes=ROOM) as whole:
            await asyncio.wait_for(whole, 5)


async def test_an_error_gives_the_room_back() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.take(SITE, bulk=True, writes=ROOM):
            raise ZeroDivisionError
    async with asking(turns, writes=ROOM) as whole:
        await asyncio.wait_for(whole, 5)
