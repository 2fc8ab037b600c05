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
    """Somebody asked us to stop. No failure."""


class Stop:
    """Construct it inside the running loop, before anything is started."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once: Callable[[], None] = lambda: None
        """Called before the process leaves without unwinding."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        if self.asked.is_set():
            self.at_once()
            os._exit(ExitCode.FAILED)  # the embedded servers end with us
        self.asked.set()

    async def unless(self, step: Awaitable[T]) -> T:
        """The step's result. `Stopped` if it was asked for meanwhile: the step is cancelled, and
        waited for, since what it started has to be closed by somebody."""
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
