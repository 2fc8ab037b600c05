"""An event loop whose time passes only when nothing else can happen, and whose next step is
somebody's choice: what makes a whole service, with a real database, play the same twice."""

import asyncio
import selectors
import sys
import time
from collections.abc import Callable
from typing import Any

REAL_MONOTONIC = time.monotonic
BEGIN = 1000.0
"""What the loop's clock says when a story begins: equal for all, so that floats are equal too."""

Select = Callable[[float | None], list[tuple[selectors.SelectorKey, int]]]


class Stuck(AssertionError):
    """Nothing can run, nothing is awaited from outside, and no timer is set."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`choose` is asked whenever every task waits: it lets one go on and answers True, or
    answers False, and time jumps to the next timer. While `outside` answers true, what is
    awaited comes from the real world (a statement in PostgreSQL): nothing is chosen and no time
    passes; `impatient` is called when it does not come at once."""

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.now = BEGIN
        self.choose: Callable[[], bool] = lambda: False
        self.outside: Callable[[], bool] = lambda: True
        self.impatient: Callable[[], None] = lambda: None

    def time(self) -> float:
        return self.now

    def begin(self) -> None:
        """A new story: the clock as it was, and no timer of the last one."""
        self.now = BEGIN
        self._scheduled: list[Any]
        for handle in self._scheduled:
            handle.cancel()
        self._scheduled.clear()
        self._timer_cancelled_count = 0

    def idle(self, timeout: float | None, select: Select) -> Any:
        """What the loop does where others wait for input for *timeout* seconds."""
        if timeout == 0:
            return []  # first everything that can run without a choice
        if self.outside():
            events = select(0.002)
            if not events:
                self.impatient()
            return events
        if self.choose():
            return []
        if timeout is None:
            raise Stuck("nobody can go on")
        self.now += timeout
        return []


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        return self._loop.idle(timeout, super().select)


def monotonic() -> float:
    """The virtual time inside a virtual loop, the real one elsewhere."""
    loop = asyncio._get_running_loop()
    return loop.time() if isinstance(loop, VirtualLoop) else REAL_MONOTONIC()


def take_over() -> None:
    """For good, in this process: what asks how much time has passed hears of virtual time."""
    time.monotonic = monotonic
    for name, module in list(sys.modules.items()):
        if name.startswith("app.") and getattr(module, "monotonic", None) is REAL_MONOTONIC:
            module.monotonic = monotonic  # type: ignore[attr-defined]
