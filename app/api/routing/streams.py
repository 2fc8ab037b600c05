"""Streams of server-sent events: what `GET` shows, whenever it changed, until it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.http.problems import Problem

_T = TypeVar("_T", bound=BaseModel)
_POLL_SECONDS = 0.5
_PING_SECONDS = 15
"""Proxies close streams that are silent for long."""
_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Events(EventSourceResponse):
    """Ends when its client goes away."""

    media_type = "text/event-stream"


def follow(first: _T, read: Callable[[], Awaitable[_T]], over: Callable[[_T], bool]) -> Events:
    """`progress` and at last `end`. *read* asks again who calls: a stream whose token was revoked,
    or whose subject is gone, ends without `end`."""
    return Events(_events(first, read, over), ping=_PING_SECONDS, headers=_UNBUFFERED)


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
