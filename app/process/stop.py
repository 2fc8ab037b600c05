"""The first SIGTERM or SIGINT asks for an orderly stop, the second ends everything at once."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from app.process.exit_code import ExitCode

T = TypeVar("T")


def leave_within(seconds: float) -> None:
    """End this process then, whatever hangs: a database or a Jira that does not answer may hold up
    an orderly stop for ever. What is not committed was not promised to anybody."""
    timer = threading.Timer(seconds, os._exit, (ExitCode.FAILED,))
    timer.daemon = True
    timer.start()


class Stopped(Exception):
    """The process was asked to stop. No failure."""


class Stop:
    """The first signal asks, the second insists. Construct it before anything is started."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self.at_once: Callable[[], None] = lambda: None
        """Called when it is insisted on: the process may leave without unwinding."""

    def listen(self, *, first: float | None = None, second: float = 0.0) -> None:
        """To SIGTERM and SIGINT, inside the running loop. The process ends *first* seconds after
        the first of them and *second* seconds after the second, whatever hangs."""

        def hear() -> None:
            self.signal()
            seconds = second if self.insisted.is_set() else first
            if seconds is not None:
                leave_within(seconds)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, hear)

    def signal(self) -> None:
        if self.asked.is_set():
            self.insisted.set()
            self.at_once()
        self.asked.set()

    async def unless(self, step: Awaitable[T]) -> T:
        """The step's result. `Stopped` if it was asked for meanwhile: the step is cancelled, and
        waited for, since what it started has to be closed."""
        doing = asyncio.ensure_future(step)
        asked = asyncio.ensure_future(self.asked.wait())
        try:
            await asyncio.wait((doing, asked), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise Stopped
        finally:
            asked.cancel()
            if not doing.done():
                doing.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await doing
