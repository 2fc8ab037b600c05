"""The service in a story: which jobs its processes begin, and what happens to the processes."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

from app.core.errors import PermanentError, TransientError
from app.sandbox.outbox import Delivery, Outbox
from app.sync.guard import held_plans
from app.sync.ingest.inbox import Inbox
from app.sync.reconcile import loop
from app.sync.recovery import restore
from app.sync.resync import poll, walk
from app.sync.writes import confirm, late_writes
from tests.simulation.ground import Ground
from tests.simulation.house import House, Worker
from tests.simulation.process import Task
from tests.simulation.scheduler import Died

LEASE = 60.0
LOOKS = (1, 1, 2, 3, 100)
"""Small claims too, so that several workers share what there is."""
Job = Callable[[], Coroutine[Any, Any, object]]


class Service:
    """Some workers and one API process. Nothing here waits for what it begins."""

    def __init__(self, house: House, ground: Ground, random: Random) -> None:
        self.house = house
        self.ground = ground
        self.random = random
        self.jobs: dict[Task, None] = {}
        self.workers = [house.worker(f"w{number}") for number in range(1, random.randint(2, 3) + 1)]
        self.api = house.worker("api")
        self.inbox: Inbox = house.inbox(self.api)
        self._serial = 0

    # -- beginning things

    def begin(self, worker: Worker, job: str, work: Job) -> str:
        """What ends otherwise than a worker's or a client's error would is told as a bug."""
        task = worker.process.spawn(job, lambda: self._watched(job, work))
        self.jobs[task] = None
        task.add_done_callback(lambda it: self.jobs.pop(it, None))
        return f"{worker.process.name} begins {job}"

    def ask(self, job: str, work: Job) -> str:
        """A call of the API."""
        self._serial += 1
        return self.begin(self.api, f"{job}#{self._serial}", work)

    async def _watched(self, job: str, work: Job) -> None:
        trace = self.house.scheduler.trace
        try:
            answer = await work()
        except (PermanentError, TransientError) as error:
            trace.note(f"* {job}: refused, {error.code} {error.detail}")
        except (Died, asyncio.CancelledError):
            raise
        except Exception as error:
            self.house.alarm(f"a bug: {job} ended with {error!r}")
        else:
            trace.note(f"* {job}: {answer}")

    async def finish(self) -> None:
        """Until everything that was begun has ended."""
        while self.jobs:
            await asyncio.gather(*self.jobs, return_exceptions=True)

    # -- a worker's duties

    def works(self) -> str:
        """A free worker does one of its duties."""
        worker = self.random.choice(self.workers)
        duties: dict[str, Job] = {
            "look": partial(loop.run_once, worker.ctx, size=self.random.choice(LOOKS), lease=LEASE),
            "confirm": partial(confirm.run_once, worker.ctx),
            "correct": partial(late_writes.run_once, worker.ctx),
            "plans": partial(held_plans.run_once, worker.ctx),
            "resync": partial(walk.run_once, worker.ctx, lease=LEASE),
            "restores": partial(restore.run_once, worker.ctx),
            "poll": partial(poll.run_once, worker.ctx),
        }
        job = self.random.choice(
            ("look",) * 8
            + ("confirm", "confirm", "correct", "plans", "resync", "restores")
            + (("poll",) if not self.ground.quiet_mail else ())
        )
        if worker.process.busy(job):
            return ""
        return self.begin(worker, job, duties[job])

    async def all_look(self, size: int | None = None) -> str:
        """News first, then every worker takes a little of it at once."""
        self.mail_comes()
        await self.finish()
        size = size or self.random.choice((1, 1, 2))
        for worker in self.workers:
            if not worker.process.busy("look"):
                self.begin(
                    worker, "look", partial(loop.run_once, worker.ctx, size=size, lease=LEASE)
                )
        return f"every worker looks at {size}"

    async def one_looks(self) -> str:
        """News first, then one worker looks at all of it."""
        self.mail_comes()
        await self.finish()
        worker = self.random.choice(self.workers)
        if worker.process.busy("look"):
            return ""
        look = partial(loop.run_once, worker.ctx, size=100, lease=LEASE)
        self.begin(worker, "look", look)
        return "one worker looks at all"

    async def all_looks_until_sealed(self) -> str:
        """As ``all_look``, all of it; then what is held for that is sealed."""
        told = await self.one_looks()
        await self.finish()
        self.house.scheduler.loop.now += 31.0
        worker = self.random.choice(self.workers)
        if not worker.process.busy("plans"):
            self.begin(worker, "plans", partial(held_plans.run_once, worker.ctx))
        await self.finish()
        return f"{told}, and what is held is sealed"

    async def restores(self) -> str:
        """All that can be done for restores now, by one worker, to its end."""
        worker = self.random.choice(self.workers)
        if worker.process.busy("restores"):
            return ""
        told = self.begin(worker, "restores", partial(restore.run_once, worker.ctx))
        await self.finish()
        return told

    # -- mail

    def mail_comes(self, most: int = 100) -> str:
        """Deliveries that are due, each a request of its own."""
        taken = 0
        for name in self.ground.names:
            jira = self.ground.world.stations[name].jira
            for delivery in jira.outbox.pop_due():
                self.ask(
                    f"mail-{name}", partial(self._receive, name, jira.outbox, delivery, self.inbox)
                )
                taken += 1
        return f"{taken} deliveries come" if taken else ""

    async def _receive(self, name: str, outbox: Outbox, delivery: Delivery, inbox: Inbox) -> str:
        """What Jira hears: 202, 503, or nothing where the process is gone."""
        station = self.ground.world.stations[name]
        status: int | None = None
        try:
            headers = outbox.headers(delivery)
            sender = await inbox.sender(station.access.name)
            receipt = await inbox.receive(
                sender,
                delivery.body,
                signature=headers.get("X-Hub-Signature"),
                identifier=headers.get("X-Atlassian-Webhook-Identifier"),
            )
            status = 202
            if receipt.status == "accepted":
                self.house.watch.receipts[station.id, receipt.delivery] = delivery.event
            elif receipt.status == "duplicate":
                body = hashlib.sha256(delivery.body).digest()[:16]
                self.house.watch.known[station.id, receipt.delivery] = body
        except PermanentError as error:
            status = 401
            if error.code != "signature_invalid":
                raise
        except TransientError as error:
            if error.code == "ingest_failed":
                self.house.alarm(f"a bug: ingest failed with {error.detail}")
            status = 503
        finally:
            outbox.settle(delivery, status)
        return f"{delivery.event} -> {status}"

    # -- chaos

    async def process_dies(self) -> str:
        at = self.random.randrange(len(self.workers) + 1)
        if at == len(self.workers):
            await self.house.kill(self.api)
            self.api = self.house.worker("api")
            self.inbox = self.house.inbox(self.api)
            return "the API process is killed and comes back"
        name = self.workers[at].process.name
        busy = list(self.workers[at].process.jobs)
        await self.house.kill(self.workers[at])
        self.workers[at] = self.house.worker(name)
        return f"{name} is killed in {busy} and comes back"

    def process_stops(self) -> str:
        worker = self.random.choice([*self.workers, self.api])
        seconds = self.random.choice((3.0, 15.0, 45.0, 90.0))
        worker.process.stop(seconds)
        return f"{worker.process.name} is stopped for {seconds:.0f} s"

    def database_breaks(self) -> str:
        worker = self.random.choice([*self.workers, self.api])
        commit = self.random.random() < 0.6
        when: Any = self.random.choice(("before", "after"))
        worker.process.break_database(self.random.randrange(6), commit=commit, when=when)
        place = f"{when} a commit" if commit else "in a statement"
        return f"{worker.process.name} will lose its connection {place}"

    def time_passes(self) -> str:
        seconds = self.random.choice((0.5, 2.0, 10.0, 35.0, 70.0, 300.0, 4000.0))
        self.house.scheduler.loop.now += seconds
        return f"{seconds:.0f} s pass"

    def mend(self) -> None:
        for worker in [*self.workers, self.api]:
            worker.process.mend()
