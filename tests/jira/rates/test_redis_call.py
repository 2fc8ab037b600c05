"""A call to Redis that is cancelled ends as cancelled, in whatever moment it happens."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from app.jira.rates.budget_shared import SharedBudget
from app.jira.rates.circuit_shared import SharedCircuit


class Answering:
    """A script that waits as redis-py does, and answers when told to."""

    def __init__(self, reply: Any) -> None:
        self.asked = asyncio.Event()
        self.told = asyncio.Event()
        self._reply = reply

    async def __call__(self, **_: Any) -> Any:
        self.asked.set()
        await asyncio.wait_for(self.told.wait(), 5)
        return self._reply


@pytest.mark.parametrize("steps", range(5))
async def test_a_turn_that_comes_as_its_call_is_cancelled(steps: int) -> None:
    async with Redis.from_url("redis://never-asked.invalid") as redis:
        budget = SharedBudget(redis)
        script = Answering([b"granted", b"0", b"epoch", b"1"])
        budget._take = script  # type: ignore[assignment]
        await _ends_cancelled(budget.take(1, "issue_link", "DELETE"), script, steps)


@pytest.mark.parametrize("steps", range(5))
async def test_an_admission_that_comes_as_its_call_is_cancelled(steps: int) -> None:
    async with Redis.from_url("redis://never-asked.invalid") as redis:
        circuit = SharedCircuit(redis)
        script = Answering([b"closed", b"0"])
        circuit._ask = script  # type: ignore[assignment]
        await _ends_cancelled(circuit.admit(1, write=True), script, steps)


async def _ends_cancelled(call: Any, script: Answering, steps: int) -> None:
    """The answer is there, and so many steps of the loop later the call is cancelled."""
    task = asyncio.ensure_future(call)
    await script.asked.wait()
    script.told.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
