"""Webhook deliveries waiting to leave: due times, Jira's retries, faults. No sockets here.

A `Courier` sends them over HTTP; a simulation may instead call `Outbox.pop_due` and
`Outbox.settle` itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import heapq
import hmac
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from app.sandbox.clock import Clock
from app.sandbox.faults import DeliveryFault, acting
from app.sandbox.model import Flavour

Flow = Literal["Primary", "Secondary"]
Outcome = Literal["delivered", "refused", "retry", "gave_up", "lost"]
RETRIED = frozenset({408, 409, 425, 429})
TRIES = 5
RETRY_SECONDS = (300.0, 900.0)
SECONDARY_SECONDS = (60.0, 840.0)
GIVE_UP_AFTER = 1800.0


@dataclass(slots=True)
class Webhook:
    """One registered receiver. `secret` never leaves through REST."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    secret: str | None = None
    jql: str | None = None
    exclude_body: bool = False
    enabled: bool = True
    updated: int = 0
    updated_by: str = ""
    failing_since: float | None = None


@dataclass(slots=True)
class Delivery:
    """One body on its way to one receiver; `attempt` counts from 0."""

    webhook: Webhook
    identifier: str
    event: str
    body: bytes
    due: float
    flow: Flow = "Primary"
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one try; `status` None means no answer."""

    identifier: str
    event: str
    at: float
    attempt: int
    status: int | None
    outcome: Outcome


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature for a raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Outbox:
    """`scale` shrinks every delay that is made here (retries, secondary flow, faults)."""

    clock: Clock
    random: random.Random
    flavour: Flavour
    scale: float = 1.0
    faults: list[DeliveryFault] = field(default_factory=list)
    log: list[Attempt] = field(default_factory=list)
    in_flight: int = 0
    keep_log: bool = True
    delivered: int = 0
    changes: int = 0
    _heap: list[tuple[float, int, Delivery]] = field(default_factory=list)
    _order: int = 0
    _waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(default_factory=list)

    def push(self, webhook: Webhook, event: str, body: bytes, flow: Flow = "Primary") -> None:
        """Queue one delivery, as the faults would have it."""
        delay = self.random.uniform(*SECONDARY_SECONDS) if flow == "Secondary" else 0.0
        item = Delivery(webhook, self._identifier(), event, body, self.clock.now(), flow)
        copies = [item]
        lost = False
        for fault in acting(self.faults, event, self.random):
            if fault.kind == "lose":
                lost = True
            elif fault.kind == "delay":
                delay += fault.seconds
            elif fault.kind == "shuffle":
                delay += self.random.uniform(0.0, fault.seconds)
            else:
                fresh = fault.fresh_identifier
                copies += [
                    replace(item, identifier=self._identifier() if fresh else item.identifier)
                    for _ in range(fault.copies)
                ]
        for copy in copies:
            if lost:
                self._note(copy, None, "lost")
            else:
                self._queue(copy, delay)
        self.wake()

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """Request headers; Data Center sends neither identifier nor retry count nor flow."""
        if self.flavour == "datacenter":
            made = {"Content-Type": "application/json", "User-Agent": "Atlassian HttpClient/3.0.4"}
        else:
            made = {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Atlassian Webhook HTTP Client",
                "X-Atlassian-Webhook-Identifier": delivery.identifier,
                "X-Atlassian-Webhook-Flow": delivery.flow,
            }
            if delivery.attempt:
                made["X-Atlassian-Webhook-Retry"] = str(delivery.attempt)
        if delivery.webhook.secret:
            made["X-Hub-Signature"] = signature(delivery.webhook.secret, delivery.body)
        who = urlsplit(delivery.webhook.url)
        if who.username:
            pair = f"{who.username}:{who.password or ''}".encode()
            made["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return made

    def next_due(self) -> float | None:
        """When the next delivery leaves."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float | None = None) -> list[Delivery]:
        """Take what is due; each taken delivery must come back through `settle`."""
        until = self.clock.now() if now is None else now
        taken = []
        while self._heap and self._heap[0][0] <= until:
            taken.append(heapq.heappop(self._heap)[2])
        self.in_flight += len(taken)
        return taken

    def settle(self, delivery: Delivery, status: int | None) -> Outcome:
        """Record what the receiver answered (None: nothing), and schedule a retry if Jira would."""
        self.in_flight -= 1
        outcome = self._judge(delivery, status)
        self._note(delivery, status, outcome)
        if outcome == "retry":
            again = replace(delivery, attempt=delivery.attempt + 1)
            self._queue(again, self.random.uniform(*RETRY_SECONDS))
        self.wake()
        return outcome

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is being sent."""
        return not self._heap and not self.in_flight

    async def wait_idle(self) -> None:
        """Until nothing waits; late deliveries and retries count as waiting."""
        await self.wait_for(lambda: self.idle)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until a condition over this outbox (or anything it changes) holds."""
        if condition():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((condition, waiter))
        await waiter

    async def changed(self, since: int) -> None:
        """Until something is queued or settled after `changes` was `since`."""
        await self.wait_for(lambda: self.changes != since)

    def _judge(self, delivery: Delivery, status: int | None) -> Outcome:
        webhook = delivery.webhook
        if status is not None and status < 400:
            webhook.failing_since = None
            return "delivered"
        retried = status is None or status >= 500 or status in RETRIED
        if not retried:
            return "refused"
        now = self.clock.now()
        if webhook.failing_since is None:
            webhook.failing_since = now
        if self.flavour == "datacenter":
            return "gave_up"
        if now - webhook.failing_since > GIVE_UP_AFTER * self.scale:
            return "gave_up"  # one attempt each until a success
        return "retry" if delivery.attempt + 1 < TRIES else "gave_up"

    def _queue(self, delivery: Delivery, delay: float) -> None:
        delivery.due = self.clock.now() + delay * self.scale
        self._order += 1
        heapq.heappush(self._heap, (delivery.due, self._order, delivery))

    def _note(self, delivery: Delivery, status: int | None, outcome: Outcome) -> None:
        if outcome == "delivered":
            self.delivered += 1
        if self.keep_log:
            now = self.clock.now()
            self.log.append(
                Attempt(delivery.identifier, delivery.event, now, delivery.attempt, status, outcome)
            )

    def _identifier(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    def wake(self) -> None:
        """Wake the waiting tasks."""
        self.changes += 1
        waiters, self._waiters = self._waiters, []
        for condition, waiter in waiters:
            if waiter.done():
                continue
            if condition():
                waiter.set_result(None)
            else:
                self._waiters.append((condition, waiter))
