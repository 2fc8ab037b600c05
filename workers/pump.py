"""The pump: a few runners that claim and look until nothing is due, woken by anything."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from app.core.errors import TransientError
from app.sync.reconcile.loop import Pass

_LOG = structlog.get_logger(__name__)

# After an error of ours or of PostgreSQL a runner rests; the sweep wakes it anyway.
REST_SECONDS = 1.0


class Pump:
    """``poke`` never blocks and is never lost: a poke during the last empty claim starts
    another one. One runner takes a wake-up; a full claim calls the next runner to help."""

    def __init__(self, run_once: Callable[[], Awaitable[Pass]], *, runners: int, size: int) -> None:
        self._run_once = run_once
        self._runners = runners
        self._size = size
        # Holds one token at most: an event would wake every runner for one wake-up.
        self._signal: asyncio.Queue[None] = asyncio.Queue(1)
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._runner()) for _ in range(self._runners)]

    def poke(self) -> None:
        if self._signal.empty():
            self._signal.put_nowait(None)

    async def stop(self, drain_seconds: float) -> None:
        """Let the looks under way end, at most *drain_seconds*; what is cancelled then stays
        under its lease, and its open writes are confirmed later."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()
        self.poke()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=drain_seconds)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _runner(self) -> None:
        while not self._stop.is_set():
            await self._signal.get()
            if self._stop.is_set():
                self.poke()  # the next runner has to hear of it as well
                return
            with suppress(_Resting):
                while not self._stop.is_set() and await self._pass():
                    pass

    async def _pass(self) -> bool:
        """One claim; whether another may find more."""
        try:
            done = await self._run_once()
        except TransientError as error:
            _LOG.warning("pass_put_off", code=error.code)
            self._poke_in(REST_SECONDS)
            raise _Resting from None
        except Exception:
            _LOG.exception("pass_broke")
            self._poke_in(REST_SECONDS)
            raise _Resting from None
        if done.claimed >= self._size:
            self.poke()
        if done.soonest is not None:
            self._poke_in(done.soonest)
        return done.claimed > 0

    def _poke_in(self, seconds: float) -> None:
        """Wake up when put-off pairs are due; the sweep finds what this timer forgets."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None and not self._timer.cancelled():
            if loop.time() < self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self.poke)


class _Resting(Exception):
    """This runner waits for the next poke."""
