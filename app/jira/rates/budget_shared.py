"""The budget of all workers, through Redis; a safe local share while Redis is away."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from app.core.links import IssueId
from app.jira.rates.budget import (
    BULK_EVERY,
    BULK_SHARE,
    LIVE_HORIZON,
    LONGEST_AGO,
    SECOND,
    SLOW_SECONDS,
    TOO_LATE,
    Ask,
    Grant,
    Limits,
    Pace,
    Scope,
    Turn,
    scopes_of,
)
from app.jira.rates.budget_line import IssueLog, Line, Pauses
from app.jira.rates.budget_local import LocalBudget
from app.jira.rates.budget_lua import GIVE_BACK, MOVE, PAUSE, SLOW, TAKE
from app.jira.rates.redis_call import AWAY_SECONDS, RedisCalls

LOCAL_SHARE = 1 / 8
"""Of the limits, for each worker while Redis is away: safe for up to eight workers. In the
second in which they find back to a Redis that lost nothing, both may be used."""

_REDIS = "redis:"
"""Before the name of a turn that Redis granted, not our own share."""

_KEPT_MS = 2 * 24 * 3600 * 1000
"""Keys expire after two days without calls to the site; then it starts as after a flush."""


class SharedBudget:
    """See `Budget`. Redis holds nothing that matters beyond the next half minute."""

    def __init__(self, redis: Redis, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._take = redis.register_script(TAKE)
        self._give_back = redis.register_script(GIVE_BACK)
        self._pause = redis.register_script(PAUSE)
        self._slow = redis.register_script(SLOW)
        self._line = Line()
        self._pauses = Pauses()
        self._log = IssueLog(self._limits.per_issue)
        self._local = LocalBudget(self._limits.scaled(LOCAL_SHARE))
        self._calls = RedisCalls()
        self._epochs: dict[int, str] = {}
        self._name = secrets.token_hex(8)
        self._moves = redis.register_script(MOVE)
        self._moved: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        self._telling: asyncio.Task[None] | None = None

    async def take(
        self,
        site: int,
        endpoint: str,
        method: str,
        issues: Sequence[IssueId] = (),
        *,
        bulk: bool = False,
        rate: float | None = None,
    ) -> Grant:
        ask = Ask(site, endpoint, method, tuple(dict.fromkeys(issues)), bulk, rate)
        return await self._line.wait(ask, self._answer, self._return, self._move)

    async def pause(self, site: int, scope: Scope, seconds: float) -> None:
        self._pauses.add(site, scope, seconds)
        milliseconds = max(1, round(seconds * 1000))
        await self._run(self._pause, [_pause_key(site, scope)], [milliseconds])

    async def slow(
        self,
        site: int,
        endpoint: str,
        method: str,
        *,
        ago: float = 0.0,
        paused: float | None = None,
    ) -> None:
        await self._local.slow(site, endpoint, method, ago=ago, paused=paused)
        pace = self._limits.pace(endpoint, method)
        keys = [_line_key(site, pace), _turns_key(site, pace)]
        refused = -1 if paused is None else _micros(paused)
        left = _micros(min(ago, LONGEST_AGO))
        arguments = [_micros(SLOW_SECONDS), _KEPT_MS, pace.ours, refused, left]
        await self._run(self._slow, keys, arguments)

    async def _answer(self, ask: Ask) -> Turn:
        paused = self._pauses.left(ask)
        if paused > 0:
            return Turn(granted=False, wait=paused, queue=not ask.issues)
        hot = self._log.left(ask, monotonic())
        if hot > 0:
            return Turn(granted=False, wait=hot, queue=False)
        paces = self._limits.paces(ask)
        reply = await self._run(self._take, _keys(ask, paces), self._arguments(ask, paces))
        turn = await self._local.answer(ask) if reply is None else self._turn(ask, reply)
        if turn.granted:
            self._log.add(ask, monotonic() + turn.wait)
        return turn

    async def _return(self, ask: Ask, turn: Turn) -> None:
        if not turn.name.startswith(_REDIS):
            await self._local.give_back(ask, turn)
            return
        keys = [_turns_key(ask.site, pace) for pace in self._limits.paces(ask)]
        await self._run(self._give_back, keys, [turn.name.removeprefix(_REDIS)])

    def _move(self, ask: Ask, turn: Turn, late: float | None) -> None:
        """Report it to Redis at once: others may be about to fill the same second."""
        if not turn.name.startswith(_REDIS):
            self._local.move(ask, turn, late)
            return
        due = turn.name.removeprefix(_REDIS)
        keys = tuple(_turns_key(ask.site, pace) for pace in self._limits.paces(ask))
        self._moved[keys] += [due, "" if late is None else str(int(due) + _micros(late))]
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        """What gathers during one message goes with the next."""
        while self._moved:
            keys, moved = self._moved.popitem()
            await self._run(self._moves, list(keys), moved)

    def _turn(self, ask: Ask, reply: list[bytes | str]) -> Turn:
        word, micros, epoch, *due = (_text(part) for part in reply)
        self._epochs[ask.site] = epoch
        seconds = int(micros) / 1_000_000
        if word == "granted":
            return Turn(granted=True, wait=seconds, name=f"{_REDIS}{due[0]}")
        # A pause may be one of an issue: then those behind need not wait for it.
        own = word == "issue" or (word == "paused" and bool(ask.issues))
        return Turn(granted=False, wait=seconds, queue=not own)

    def _arguments(self, ask: Ask, paces: Sequence[Pace]) -> list[str | int | float]:
        windows = [
            number
            for seconds, most in self._limits.per_issue
            for number in (_micros(seconds), most)
        ]
        lines = [
            number
            for pace in paces
            for number in (
                pace.most,
                _micros(pace.steady),
                _micros(pace.quick),
                _micros(pace.even),
            )
        ]
        return [
            _micros(ask.horizon),
            int(ask.bulk),
            self._epochs.get(ask.site, ""),
            f"{self._name}:{secrets.token_hex(4)}",
            _micros(LIVE_HORIZON + AWAY_SECONDS),
            _micros(TOO_LATE),
            _KEPT_MS,
            BULK_SHARE,
            len(paces),
            2 + len(ask.issues),
            _micros(LIVE_HORIZON),
            BULK_EVERY,
            _micros(SECOND),
            *lines,
            *windows,
        ]

    async def _run(
        self, script: AsyncScript, keys: list[str], arguments: Sequence[str | float]
    ) -> Any:
        """The reply of the script, or None while Redis is away."""
        return await self._calls.run(script, keys, arguments)


def _keys(ask: Ask, paces: Sequence[Pace]) -> list[str]:
    lines = [_line_key(ask.site, pace) for pace in paces]
    turns = [_turns_key(ask.site, pace) for pace in paces]
    pauses = [
        _pause_key(ask.site, scope) for scope in scopes_of(ask.endpoint, ask.method, ask.issues)
    ]
    logs = [f"{_prefix(ask.site)}:writes:{issue}" for issue in ask.issues]
    return [f"{_prefix(ask.site)}:epoch", *lines, *turns, *pauses, *logs]


def _prefix(site: int) -> str:
    return f"twinlink:{{budget:{site}}}"


def _line_key(site: int, pace: Pace) -> str:
    return f"{_prefix(site)}:line:{pace.line}"


def _turns_key(site: int, pace: Pace) -> str:
    return f"{_prefix(site)}:turns:{pace.line}"


def _pause_key(site: int, scope: Scope) -> str:
    return f"{_prefix(site)}:pause:{scope}"


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
