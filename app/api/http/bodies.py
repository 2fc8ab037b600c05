"""Reading request bodies from anybody within limits of size, memory and time."""

import asyncio
from dataclasses import dataclass
from typing import Self

from starlette.types import Receive

LARGEST_BODY = 25 * 1024 * 1024
"""Jira itself drops deliveries above this."""
MOST_HELD = 8 * LARGEST_BODY
"""Bodies are held until they are checked, and anybody may send one: 200 MiB of them at a time."""
SLOWEST_BODY_SECONDS = 30.0


class BodyRefused(Exception):
    """The body was not read to its end."""


class BodyTooLarge(BodyRefused):
    """More bytes than are taken, announced or sent."""


class BodyTooSlow(BodyRefused):
    """The rest did not come in time."""


class NoRoom(BodyRefused):
    """Too much of other bodies is held just now."""


class ClientGone(BodyRefused):
    """The client left before it had sent everything; no one would read an answer."""


@dataclass(slots=True)
class Intake:
    """The limits, and how many bytes are held now. One per process, as memory is."""

    largest: int = LARGEST_BODY
    most_held: int = MOST_HELD
    slowest: float = SLOWEST_BODY_SECONDS
    held: int = 0


class Body:
    """One request's body. Its bytes count as held until the `with` block ends."""

    __slots__ = ("_intake", "_size")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.held -= self._size

    async def read(self, receive: Receive, announced: bytes | None) -> bytes:
        """All of it. *announced* is the Content-Length: believed where it says too much, else
        the bytes themselves are counted as they come. Errors: `BodyRefused`."""
        if announced is not None and announced.isdigit() and int(announced) > self._intake.largest:
            raise BodyTooLarge
        try:
            async with asyncio.timeout(self._intake.slowest):
                first, more = await self._chunk(receive)
                if not more:
                    return first
                chunks = [first]
                while more:
                    chunk, more = await self._chunk(receive)
                    chunks.append(chunk)
        except TimeoutError:
            raise BodyTooSlow from None
        return b"".join(chunks)

    async def _chunk(self, receive: Receive) -> tuple[bytes, bool]:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        self._intake.held += len(chunk)
        if self._size > self._intake.largest:
            raise BodyTooLarge
        if self._intake.held > self._intake.most_held:
            raise NoRoom
        return chunk, message.get("more_body", False)
