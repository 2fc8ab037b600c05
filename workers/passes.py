"""The passes of this process, and what else of it writes to Jira: how many passes at a time, what
follows one, and how all of them end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from app.core.errors import TransientError
from app.sync.reconcile.loop import Pass

_LOG = structlog.get_logger(__name__)

# After an error of ours or of PostgreSQL; the sweep looks again in any case.
REST_SECONDS = 1.0


class Passes:
    """*run_once* is one pass; it calls its argument when its claim came back full. *more* asks for
    another pass of any worker. At most *most* passes run here at a time."""

    def __init__(
        self,
        run_once: Callable[[Callable[[], object]], Awaitable[Pass]],
        more: Callable[[], object],
        *,
        most: int,
    ) -> None:
        self._run_once = run_once
        self._more = more
        self._most = most
        self._slots = asyncio.Semaphore(most)
        self._running: set[asyncio.Task[Pass]] = set()
        self._beside: set[asyncio.Task[int]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ending = False

    async def run(self) -> Pass:
        """One pass. Cancelling the caller does not reach it: a pass that began ends, or is left to
        its lease when this process ends."""
        return await asyncio.shield(self._begin())

    def begin(self) -> None:
        """One pass without a caller, unless as many run as may: each of them asks for more."""
        if len(self._running) < self._most:
            self._begin()

    async def beside(self, turn: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """What *turn* answers, which writes to Jira as a pass does: cancelling the caller does not
        reach it, and it ends with the passes. 0 where they are ending."""
        if self._ending:
            return 0
        task = asyncio.create_task(turn())
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return await asyncio.shield(task)

    async def end(self, drain_seconds: float) -> None:
        """Begin no more, and let what runs end, at most *drain_seconds*. What is cancelled then
        stays under its lease, and its open writes are confirmed later."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        under_way = [*self._running, *self._beside]
        if under_way:
            await asyncio.wait(under_way, timeout=drain_seconds)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin(self) -> "asyncio.Task[Pass]":
        task = asyncio.create_task(self._pass())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _pass(self) -> Pass:
        async with self._slots:
            if self._ending:
                return Pass(0, 0)
            try:
                done = await self._run_once(self._more)
            except TransientError as error:
                _LOG.warning("pass_put_off", code=error.code)
                done = Pass(0, 0, REST_SECONDS)
            except Exception:
                _LOG.exception("pass_broke")
                done = Pass(0, 0, REST_SECONDS)
        if done.dirty:
            self._more()
        if done.soonest is not None:
            self._more_in(done.soonest)
        return done

    def _more_in(self, seconds: float) -> None:
        """Ask when put-off pairs are due; the sweep finds what this timer forgets."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._ending:
            return
        if self._timer is not None and not self._timer.cancelled():
            if loop.time() < self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._more)
