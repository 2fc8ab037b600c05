"""A process of the service in a story: its jobs, what it holds in hand, and its end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from tests.simulation.scheduler import STRAND, Died, Scheduler
from tests.simulation.virtual import VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.gated_database import Wire, Wires

HERE: ContextVar["Process | None"] = ContextVar("HERE", default=None)
"""The process that a task belongs to."""
Task = asyncio.Task[Any]


def follow(loop: VirtualLoop) -> None:
    """From now on every task belongs to the process that made it."""

    def make(on: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> Task:
        task: Task = asyncio.Task(coro, loop=on, **more)
        owner = HERE.get()
        if owner is not None:
            owner.adopt(task)
        return task

    loop.set_task_factory(make)  # type: ignore[arg-type]


class Process:
    """`on_commit` is called after each of its commits. A process that is not `gated` is never
    held up; one that is not `told` is no part of the trace."""

    def __init__(
        self, name: str, scheduler: Scheduler, *, gated: bool = True, told: bool = True
    ) -> None:
        self.name = name
        self.gated = gated
        self.told = told
        self.dead = False
        self.stopped_until = 0.0
        self.wires: dict[Wire, None] = {}
        self.jobs: dict[str, Task] = {}
        self.on_commit: Callable[[], Awaitable[None]] | None = None
        self._scheduler = scheduler
        self._tasks: dict[Task, None] = {}
        self._fault: tuple[int, bool, Literal["before", "after"]] | None = None

    # -- jobs

    def spawn(self, job: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> Task:
        """Begin a job in this process; it goes on as the scheduler lets it."""
        name = f"{self.name}/{job}"
        here, strand = HERE.set(self), STRAND.set(name)
        try:
            task = asyncio.get_running_loop().create_task(work(), name=name)
        finally:
            HERE.reset(here)
            STRAND.reset(strand)
        self.jobs[job] = task
        task.add_done_callback(lambda _: self.jobs.pop(job, None))
        return task

    def busy(self, job: str) -> bool:
        return job in self.jobs

    def adopt(self, task: Task) -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda it: self._tasks.pop(it, None))
        if self.dead:
            task.cancel()

    # -- chaos

    def stop(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        loop = self._scheduler.loop
        self.stopped_until = loop.time() + seconds
        loop.call_at(self.stopped_until + 0.001, lambda: None)

    async def kill(self, wires: "Wires") -> None:
        """SIGKILL: no code of it touches the world any more."""
        self.dead = True
        for wire in list(self.wires):
            if self._scheduler.waits_for_a_lock(wire.pid):
                await wires.recover(wire, self._scheduler)
                del self.wires[wire]
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wire in list(self.wires):
            await wires.recover(wire, self._scheduler)
        self.wires.clear()

    def break_database(
        self, skip: int, *, commit: bool, when: Literal["before", "after"] = "before"
    ) -> None:
        """The connection breaks at the statement after *skip* more; with *commit*, at a COMMIT,
        before or after PostgreSQL has done it."""
        self._fault = skip, commit, when

    def database_fails(self, *, commit: bool) -> Literal["before", "after"] | None:
        if self._fault is None or self._fault[1] is not commit:
            return None
        skip, _, when = self._fault
        if skip > 0:
            self._fault = skip - 1, commit, when
            return None
        self._fault = None
        return when

    def mend(self) -> None:
        self._fault = None
        self.stopped_until = 0.0

    async def committed(self) -> None:
        if self.on_commit is not None and not self.dead:
            await self.on_commit()


async def outcome(task: Task) -> BaseException | None:
    """How a job ended, once it has; None where it ended well or died with its process."""
    try:
        await task
    except (Died, asyncio.CancelledError):
        return None
    except Exception as error:
        return error
    return None
