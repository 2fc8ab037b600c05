"""Streams of server-sent events: what `GET` shows, whenever it changed, until it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from app.api.http.problems import Problem
from app.api.routing.dependencies import Who
from app.process.event_streams import Events, OpenStreams, Reader

__all__ = ["Events", "Following", "Streams"]

_T = TypeVar("_T", bound=BaseModel)
_POLL_SECONDS = 0.5
_PING_SECONDS = 15
"""Proxies close streams that are silent for long."""
_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Streams:
    """What a route needs to open one for its caller."""

    opened: OpenStreams
    reader: Reader

    def follow(
        self, first: _T, read: Callable[[], Awaitable[_T]], over: Callable[[_T], bool]
    ) -> Events:
        """`progress` and at last `end`. *read* asks again who calls: a stream whose token was
        revoked, or whose subject is gone, ends without `end`."""
        events = _events(first, read, over)
        return Events(events, self.opened, self.reader, ping=_PING_SECONDS, headers=_UNBUFFERED)


def _streams(request: Request, caller: Who) -> Streams:
    return Streams(request.app.state.streams, Reader(caller.id))


Following = Annotated[Streams, Depends(_streams)]


async def _events(
    first: _T, read: Callable[[], Awaitable[_T]], over: Callable[[_T], bool]
) -> AsyncIterator[ServerSentEvent]:
    shown, now = None, first
    while True:
        if now != shown:
            ended = over(now)
            yield ServerSentEvent(now.model_dump_json(), event="end" if ended else "progress")
            shown = now
            if ended:
                return
        await asyncio.sleep(_POLL_SECONDS)
        try:
            now = await read()
        except Problem:
            return
