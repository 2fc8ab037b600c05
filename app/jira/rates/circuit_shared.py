"""The circuit of all workers, through Redis; each worker's own while Redis is away."""

import random
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from app.jira.rates.circuit import GO, PROBING, Admission, Heard, LocalCircuit, Rule, View
from app.jira.rates.circuit_lua import ASK, TELL
from app.jira.rates.redis_call import RedisCalls

FRESH_SECONDS = 1.0
"""How long a worker uses the last state from Redis. By so much later than the others it learns that
the circuit has opened, unless its own calls fail."""

_KEPT_MS = 3600 * 1000
"""An open circuit without any call for this long is closed again."""


class SharedCircuit:
    """See `Circuit`. A call may leave if neither Redis nor this worker's own memory says open."""

    def __init__(self, redis: Redis, rule: Rule | None = None) -> None:
        self._rule = rule or Rule()
        self._ask = redis.register_script(ASK)
        self._tell = redis.register_script(TELL)
        self._local = LocalCircuit(self._rule)
        self._counting: dict[int, bool] = {}
        self._asked_at: dict[int, float] = {}
        self._calls = RedisCalls()

    def left(self, site: int) -> float:
        return self._local.left(site)

    async def admit(self, site: int, *, write: bool) -> Admission:
        own = self._local.judge(site, write=write)
        if own.wait is not None:
            return own
        fresh = monotonic() - self._asked_at.get(site, float("-inf")) < FRESH_SECONDS
        if fresh and not own.probe:
            return GO
        said = await self._run(self._ask, site, [int(not write), _micros(self._rule.probe)])
        if said is None:
            return own
        return self._both(site, own, *said)

    def _both(self, site: int, own: Admission, word: str, seconds: float) -> Admission:
        """The combined state of this worker's memory and of all workers."""
        self._counting[site] = word == "counting"
        if word in {"closed", "counting"}:
            self._asked_at[site] = monotonic()
            return own
        if word == "probe":
            return Admission(probe=own.probe, shared_probe=True)
        if own.probe:
            self._local.hear(site, "nothing", probe=True)
        if word == "open":
            self._local.adopt(site, seconds)
            return Admission(seconds)
        return Admission(PROBING)

    async def report(self, site: int, admission: Admission, heard: Heard) -> None:
        self._local.hear(site, heard, probe=admission.probe)
        probe = admission.shared_probe
        # Most calls show that the site works, which needs no report.
        if not probe and (
            heard == "nothing" or (heard == "answered" and not self._counting.get(site))
        ):
            return
        rule = self._rule
        said = await self._run(
            self._tell,
            site,
            [
                heard,
                int(probe),
                rule.least,
                _micros(rule.window),
                _micros(rule.first),
                _micros(rule.longest),
                random.uniform(0.75, 1.25),  # noqa: S311 - not to come back together
                _KEPT_MS,
            ],
        )
        if said is None:
            return
        self._counting[site] = heard == "failed" or self._counting.get(site, False)
        if said[0] == "open":
            self._local.adopt(site, said[1])
        elif probe:
            self._asked_at.pop(site, None)

    async def view(self, site: int) -> View:
        """Asking claims no probe."""
        own = await self._local.view(site)
        said = await self._run(self._ask, site, [0, 0])
        if said is None:
            return View(own.state, certain=False)
        if said[0] == "open":
            return View("open")
        return View("half_open") if said[0] == "half_open" else View("closed")

    def troubled(self) -> set[int]:
        return self._local.troubled()

    async def _run(
        self, script: AsyncScript, site: int, arguments: list[Any]
    ) -> tuple[str, float] | None:
        """The script's word and seconds, or None while Redis is away."""
        reply = await self._calls.run(script, [f"twinlink:{{circuit:{site}}}"], arguments)
        if reply is None:
            return None
        word, micros = reply
        text = word.decode() if isinstance(word, bytes) else word
        return text, int(micros) / 1_000_000


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
