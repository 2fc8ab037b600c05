"""The connection `ab` as it lives: people link on the left, and a worker of the test's own
looks, holds and applies on the API's database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from app.sandbox import Link, Person
from app.sandbox.people import person_on
from app.sync.guard import held_plans
from app.sync.reconcile import loop
from app.sync.recovery import restore
from app.sync.resync import walk
from app.sync.runtime.context import Context
from app.sync.writes import confirm, late_writes
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.api.conftest import Api, Jira

AB = f"{V1}/connections/ab"
PAIRS = {"twins": [{"left": f"A-{n}", "right": f"B-{n}"} for n in range(1, 6)]}


@dataclass
class Flow:
    """Starts with five twins. `run` is the worker, `compare` looks at all of them."""

    api: Api
    client: httpx.AsyncClient
    jira: Jira
    db: asyncpg.Pool

    @property
    def ctx(self) -> Context:
        return self.api.services.context

    @property
    def ann(self) -> Person:
        return person_on(self.jira.left.site, "ann")

    @property
    def mirrors(self) -> list[Link]:
        """Every link of the right site, oldest first."""
        return sorted(self.jira.right.site.links.values(), key=lambda link: link.id)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code < 400, f"{method} {path}: {answer.text}"
        return answer.json()

    async def mode(self, mode: str) -> None:
        await self.call("PUT", f"{AB}/mode", {"mode": mode})
        await self.run()

    async def compare(self) -> None:
        await self.call("POST", f"{AB}/resyncs")
        await self.run()

    async def run(self) -> None:
        """Until nothing is left to do."""
        await until(self._at_rest, "rest", every=0)

    async def _at_rest(self) -> bool:
        busy = await walk.run_once(self.ctx) or await confirm.run_once(self.ctx)
        busy = busy or await late_writes.run_once(self.ctx)
        done = await loop.run_once(self.ctx, size=100, lease=60)
        put_back = await restore.run_once(self.ctx)
        await held_plans.run_once(self.ctx)
        if busy or done.claimed or put_back:
            return False
        status = await self.call("GET", f"{AB}/status")
        return all(status[name] == 0 for name in ("backlog", "in_flight", "delayed", "resyncs"))

    async def mirrored(self, *triples: tuple[str, str, str]) -> list[Link]:
        """Links that a person makes on the left, each with its mirror by now."""
        made = [self.ann.link(*triple) for triple in triples]
        await self.compare()
        assert len(self.mirrors) == len(self.jira.left.site.links)
        return made

    async def sealed(self) -> dict[str, Any]:
        """The plan of removals that gathers, after its half minute."""
        await self.db.execute(
            "UPDATE plans SET created_at = created_at - interval '31 seconds'"
            " WHERE status = 'gathering'"
        )
        await held_plans.run_once(self.ctx)
        [plan] = await self.plans("held")
        whole: dict[str, Any] = await self.call("GET", f"{V1}/plans/{plan['id']}")
        return whole

    async def plans(self, status: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("GET", f"{V1}/plans?status={status}"))[
            "items"
        ]
        return found
