"""The budget of all workers, through Redis; a safe local share while Redis is away."""

import asyncio
import secrets
from collections.abc import Sequence
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from app.core.links import IssueId
from app.jira.budget import (
    BULK_SHARE,
    LATE,
    LIVE_HORIZON,
    SLOW_SECONDS,
    Ask,
    Limits,
    Scope,
    Turn,
    scopes_of,
)
from app.jira.budget_line import IssueLog, Line, Pauses
from app.jira.budget_local import LocalBudget
from app.jira.budget_lua import PAUSE, SLOW, TAKE

REDIS_SECONDS = 1.0
"""A Redis that answers later counts as away."""

AWAY_SECONDS = 1.0
"""How long Redis is left alone after it failed."""

LOCAL_SHARE = 1 / 8
"""Of the limits, for each worker while Redis is away: safe for up to eight workers. In the
second in which they find back to a Redis that lost nothing, both may be used."""

_KEPT_MS = 2 * 24 * 3600 * 1000
"""Keys of a site that is silent for two days go; then it starts as after a flush."""


class SharedBudget:
    """See `Budget`. Redis holds nothing that matters beyond the next half minute."""

    def __init__(self, redis: Redis, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._take = redis.register_script(TAKE)
        self._pause = redis.register_script(PAUSE)
        self._slow = redis.register_script(SLOW)
        self._line = Line()
        self._pauses = Pauses()
        self._log = IssueLog(self._limits.per_issue)
        self._local = LocalBudget(self._limits.scaled(LOCAL_SHARE))
        self._away_until = float("-inf")
        self._epochs: dict[int, str] = {}
        self._name = secrets.token_hex(8)

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
    ) -> float:
        ask = Ask(site, endpoint, method, tuple(dict.fromkeys(issues)), bulk)
        return await self._line.wait(ask, self._answer)

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        self._pauses.add(site, scope, seconds)
        milliseconds = max(1, round(seconds * 1000))
        await self._run(self._pause, [_pause_key(site, scope)], [milliseconds])

    async def slow(self, site: int, endpoint: str, method: str) -> None:
        await self._local.slow(site, endpoint, method)
        key = _bucket_key(site, endpoint, method)
        await self._run(self._slow, [key], [_micros(SLOW_SECONDS), _KEPT_MS])

    async def _answer(self, ask: Ask) -> Turn:
        paused = self._pauses.left(ask)
        if paused > 0:
            return Turn(granted=False, wait=paused, queue=not ask.issues)
        hot = self._log.left(ask, monotonic())
        if hot > 0:
            return Turn(granted=False, wait=hot, queue=False)
        reply = await self._run(self._take, _keys(ask), self._arguments(ask))
        turn = await self._local.answer(ask) if reply is None else self._turn(ask, reply)
        if turn.granted:
            self._log.add(ask, monotonic() + turn.wait)
        return turn

    def _turn(self, ask: Ask, reply: list[bytes | str]) -> Turn:
        word, micros, epoch = (_text(part) for part in reply)
        self._epochs[ask.site] = epoch
        seconds = int(micros) / 1_000_000
        if word == "granted":
            return Turn(granted=True, wait=seconds)
        # A pause may be one of an issue: then those behind need not wait for it.
        own = word == "issue" or (word == "paused" and bool(ask.issues))
        return Turn(granted=False, wait=seconds, queue=not own)

    def _arguments(self, ask: Ask) -> list[str | int]:
        interval = self._limits.interval(ask.method)
        windows = [
            number
            for seconds, most in self._limits.per_issue
            for number in (_micros(seconds), most)
        ]
        return [
            _micros(interval),
            _micros(ask.horizon),
            int(ask.bulk),
            _micros(interval / BULK_SHARE),
            self._epochs.get(ask.site, ""),
            f"{self._name}:{secrets.token_hex(4)}",
            _micros(LIVE_HORIZON + AWAY_SECONDS),
            2 + len(ask.issues),
            _micros(LATE),
            _KEPT_MS,
            *windows,
        ]

    async def _run(self, script: AsyncScript, keys: list[str], arguments: list[str | int]) -> Any:
        """The script's reply, or None while Redis is away."""
        if monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                return await script(keys=keys, args=arguments)
        except (RedisError, OSError, TimeoutError):
            self._away_until = monotonic() + AWAY_SECONDS
            return None


def _keys(ask: Ask) -> list[str]:
    pauses = [
        _pause_key(ask.site, scope) for scope in scopes_of(ask.endpoint, ask.method, ask.issues)
    ]
    logs = [f"{_prefix(ask.site)}:writes:{issue}" for issue in ask.issues]
    bucket = _bucket_key(ask.site, ask.endpoint, ask.method)
    return [bucket, f"{_prefix(ask.site)}:epoch", *pauses, *logs]


def _prefix(site: int) -> str:
    return f"twinlink:{{budget:{site}}}"


def _bucket_key(site: int, endpoint: str, method: str) -> str:
    return f"{_prefix(site)}:turns:{endpoint}:{method}"


def _pause_key(site: int, scope: Scope) -> str:
    return f"{_prefix(site)}:pause:{scope}"


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
