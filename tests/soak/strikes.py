"""What befalls the service, in an order that a seed decides."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx
from redis.asyncio import Redis

from app.embedded import PostgresServer, ValkeyServer
from app.sandbox.outbox import signature
from tests.soak.fleet import Fleet, Kind
from tests.soak.size import LEASE_SECONDS, Size
from tests.support.full_disk import full_disk
from tests.support.twinsites import SECRET
from tests.support.waiting import until

Strike = Literal[
    "kill_worker", "kill_api", "stop_worker", "stop_api", "flush", "restart_valkey",
    "restart_postgres", "crash_postgres", "full_disk",
]  # fmt: skip

SEND_WITHIN = 10.0
"""Seconds after its intent in which a write has to begin."""
CONFIRMED_AFTER = 45.0
"""By then others have confirmed what a stopped worker left open."""
ANSWER_WITHIN = 20.0
"""So long Jira waits for an answer."""

# Any link event that says nothing: its ids belong to no issue.
_BODY = (
    b'{"timestamp":1,"webhookEvent":"issuelink_created","issueLink":{"id":1,"sourceIssueId":2,'
    b'"destinationIssueId":3,"issueLinkType":{"id":4},"systemLink":false}}'
)


def schedule(size: Size, dice: random.Random) -> list[Strike]:
    """Every fourth kill hits the API. One restart of PostgreSQL in two is a crash."""
    api_kills = size.kills // 4
    counts: dict[Strike, int] = {
        "kill_api": api_kills,
        "kill_worker": size.kills - api_kills,
        "stop_worker": size.stops,
        "stop_api": 1,
        "flush": size.flushes,
        "restart_valkey": 1,
        "restart_postgres": size.restarts - size.restarts // 2,
        "crash_postgres": size.restarts // 2,
        "full_disk": 2,
    }
    order = [strike for strike, count in counts.items() for _ in range(count)]
    dice.shuffle(order)
    return order


@dataclass(slots=True)
class Chaos:
    """`strike` does one thing and returns when the next one may come: what was killed is being
    started again, and what was stopped may be still."""

    fleet: Fleet
    postgres: PostgresServer
    database: str
    valkey: ValkeyServer
    dice: random.Random
    struck: Counter[Strike] = field(default_factory=Counter)
    _stopped: set[asyncio.Task[None]] = field(default_factory=set)
    _longest: int = 0

    async def strike(self, kind: Strike) -> None:
        match kind:
            case "kill_worker":
                await (await self.fleet.target("worker", self.dice)).kill()
            case "kill_api":
                await (await self.fleet.target("api", self.dice)).kill()
            case "stop_worker":
                await self._stop("worker", self._past_lease())
            case "stop_api":
                await self._stop("api", ANSWER_WITHIN + 1)
            case "flush":
                async with Redis.from_url(self.valkey.url) as redis:
                    await redis.flushall()
            case "restart_valkey":
                async with _down(self.valkey.stop, self.valkey.start):
                    await self._moment(3.0)
            case "restart_postgres":
                async with _down(self.postgres.stop, self.postgres.start):
                    await self._moment(2.0)
            case "crash_postgres":
                await asyncio.to_thread(self.postgres.restart, "immediate")
            case "full_disk":
                await self._fill_disk()
        self.struck[kind] += 1

    async def over(self) -> None:
        """Everything that was stopped goes on, and everything that was killed is back."""
        await asyncio.gather(*self._stopped)
        await self.fleet.whole()

    async def _moment(self, most: float) -> None:
        await asyncio.sleep(self.dice.uniform(0.0, most))

    def _past_lease(self) -> float:
        """Past the lease and `send_before`; every fourth, past the confirmation by others."""
        self._longest += 1
        return CONFIRMED_AFTER if self._longest % 4 == 1 else max(LEASE_SECONDS, SEND_WITHIN) + 2

    async def _stop(self, kind: Kind, seconds: float) -> None:
        """In the background: meanwhile other things happen, its death included."""
        while len(self._stopped) > 1:
            await asyncio.wait(self._stopped, return_when=asyncio.FIRST_COMPLETED)
        seat = await self.fleet.target(kind, self.dice, awake=True)
        seat.freeze()
        frozen = seat.process

        async def go_on() -> None:
            await asyncio.sleep(seconds)
            seat.thaw(frozen)

        task = asyncio.create_task(go_on())
        self._stopped.add(task)
        task.add_done_callback(self._stopped.discard)

    async def _fill_disk(self) -> None:
        """Until the API, if it lives, has told a sender to come again."""
        api = next(it for it in self.fleet.seats if it.kind == "api")
        async with full_disk(self.database):
            if not api.frozen:
                await api.filled()
                await until(self._told_to_come_again, "a delivery refused", every=0.2)
            await self._moment(3.0)

    async def _told_to_come_again(self) -> bool:
        headers = {"X-Hub-Signature": signature(SECRET, _BODY), "Content-Type": "application/json"}
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_WITHIN) as client:
            url = f"{self.fleet.url}/webhooks/jira/left"
            try:
                answer = await client.post(url, content=_BODY, headers=headers)
            except httpx.TransportError:
                return False
        assert answer.status_code == 503, f"{answer.status_code} although nothing can be stored"
        return int(answer.headers["Retry-After"]) > 0


@asynccontextmanager
async def _down(stop: Callable[[], object], start: Callable[[], object]) -> AsyncIterator[None]:
    """A server that is away inside the block."""
    await asyncio.to_thread(stop)
    try:
        yield
    finally:
        await asyncio.to_thread(start)
