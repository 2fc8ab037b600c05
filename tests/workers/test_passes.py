"""Passes: shielded from their callers, bounded, each followed by what it asks for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.core.errors import TransientError
from app.sync.reconcile.loop import Pass
from workers import passes as module
from workers.passes import Passes


@dataclass
class Passing:
    """Passes that wait at a gate; what they asked for is in `asked`."""

    result: Pass | Exception = field(default_factory=lambda: Pass(0, 0))
    full: bool = False
    began: int = 0
    ended: int = 0
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    at_gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    asked_once: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_once(self, full: Callable[[], object]) -> Pass:
        self.began += 1
        if self.full:
            full()
        self.at_gate.release()
        await self.gate.wait()
        self.ended += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def more(self) -> None:
        self.asked.append("while it ran" if self.ended < self.began else "after it")
        self.asked_once.set()


@pytest.fixture
def passing() -> Passing:
    return Passing()


@pytest.fixture
def passes(passing: Passing) -> Passes:
    return Passes(passing.run_once, passing.more, most=2)


async def test_a_pass_goes_on_when_its_caller_is_cancelled(
    passing: Passing, passes: Passes
) -> None:
    caller = asyncio.create_task(passes.run())
    await passing.at_gate.acquire()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    ending = asyncio.create_task(passes.end(60))
    passing.gate.set()
    await ending
    assert (passing.began, passing.ended) == (1, 1)


async def test_no_more_run_than_may(passing: Passing, passes: Passes) -> None:
    calls = [asyncio.create_task(passes.run()) for _ in range(3)]
    for _ in range(2):
        await passing.at_gate.acquire()
    passes.begin()
    assert passing.began == 2
    passing.gate.set()
    await asyncio.gather(*calls)
    assert passing.began == 3


async def test_a_full_claim_calls_for_help_before_it_looks(
    passing: Passing, passes: Passes
) -> None:
    passing.full = True
    call = asyncio.create_task(passes.run())
    await passing.at_gate.acquire()
    assert passing.asked == ["while it ran"]
    passing.gate.set()
    await call
    assert passing.asked == ["while it ran"]


async def test_what_is_dirty_still_is_asked_for_at_once(passing: Passing, passes: Passes) -> None:
    passing.gate.set()
    await passes.run()
    assert passing.asked == []
    passing.result = Pass(3, 1)
    await passes.run()
    assert passing.asked == ["after it"]


async def test_what_was_put_off_is_asked_for_when_it_is_due(
    passing: Passing, passes: Passes
) -> None:
    passing.gate.set()
    passing.result = Pass(3, 0, soonest=0.01)
    await passes.run()
    async with asyncio.timeout(20):
        await passing.asked_once.wait()
    await passes.end(0)


@pytest.mark.parametrize("error", [TransientError("database_unavailable"), ValueError()])
async def test_a_pass_that_broke_is_asked_for_again(
    passing: Passing, passes: Passes, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_SECONDS", 0.01)
    passing.gate.set()
    passing.result = error
    assert (await passes.run()).claimed == 0
    async with asyncio.timeout(20):
        await passing.asked_once.wait()
    await passes.end(0)


async def test_at_the_end_none_begins_and_what_hangs_is_cancelled(
    passing: Passing, passes: Passes
) -> None:
    call = asyncio.create_task(passes.run())
    await passing.at_gate.acquire()
    await passes.end(0)
    assert (await passes.run()).claimed == 0
    assert (passing.began, passing.ended) == (1, 0)
    with pytest.raises(asyncio.CancelledError):
        await call
