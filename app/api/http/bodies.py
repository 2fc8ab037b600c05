"""Reading request bodies from anybody within limits of size, memory and time.

Small bodies and large ones have lanes of their own, so that large ones never keep a small one
out. Inside a lane each site and each address has a share, and a body that has been read for long
gives way to one that comes: holding memory by sending slowly keeps nobody out.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol, Self

from starlette.types import Receive

LARGEST_BODY = 25 * 1024 * 1024
"""Jira itself drops deliveries above this."""
SMALL_BODY = 256 * 1024
"""Nearly every delivery is smaller: only an issue with very long texts is not."""
MOST_HELD = 8 * LARGEST_BODY
"""Bodies are held until they are checked, and anybody may send one: 200 MiB of them at a time."""
SLOWEST_BODY_SECONDS = 30.0
PATIENCE_SECONDS = 2.0
"""How long a body is read before it gives way. An ordinary line needs less for an ordinary one."""
_SMALL_PERCENT = 40
_SITE_PERCENT = 50
_ADDRESS_PERCENT = 25
"""Of a lane. A quarter of the large one has room for a body of the largest size."""


class BodyRefused(Exception):
    """The body was not read to its end."""


class BodyTooLarge(BodyRefused):
    """More bytes than are taken, announced or sent."""


class BodyTooSlow(BodyRefused):
    """The rest did not come in time."""


class NoRoom(BodyRefused):
    """Too much of other bodies is held just now, or this one gave way to another."""


class ClientGone(BodyRefused):
    """The client left before it had sent everything; no one would read an answer."""


class Hashing(Protocol):
    """What takes the chunks of a body in while it is read."""

    def update(self, chunk: bytes, /) -> object: ...


@dataclass(slots=True)
class Lane:
    """What bodies of one kind of size hold together. `arriving` has the oldest one first."""

    most: int
    held: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    arriving: "dict[Body, None]" = field(default_factory=dict)

    def room_for(self, body: "Body") -> None:
        """Within the limits with all that *body* holds, or `NoRoom`."""
        self._within(body, None, self.most)
        self._within(body, body.site, self.most * _SITE_PERCENT // 100)
        self._within(body, body.address, self.most * _ADDRESS_PERCENT // 100)

    def _within(self, body: "Body", share: str | None, limit: int) -> None:
        while (self.held if share is None else self.shares[share]) > limit:
            oldest = self._oldest(body, share)
            if oldest is None:
                raise NoRoom
            oldest.give_way()

    def _oldest(self, body: "Body", share: str | None) -> "Body | None":
        longest = time.monotonic() - body.patience
        for other in self.arriving:
            if other is body or other.began > longest:
                continue
            if share in (None, other.site, other.address):
                return other
        return None


class Intake:
    """The limits, and how many bytes are held now. One per process, as memory is."""

    def __init__(
        self,
        *,
        largest: int = LARGEST_BODY,
        most_held: int = MOST_HELD,
        slowest: float = SLOWEST_BODY_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.largest = largest
        self.slowest = slowest
        self.patience = patience
        small = most_held * _SMALL_PERCENT // 100
        self.small, self.large = Lane(small), Lane(most_held - small)

    @property
    def held(self) -> int:
        return self.small.held + self.large.held


class Body:
    """One request's body. Its bytes count as held until the `with` block ends.

    *site* and *address* say whose shares it takes; one that comes in one piece takes none.
    """

    __slots__ = (
        "_gone",
        "_intake",
        "_lane",
        "_shared",
        "_size",
        "_timeout",
        "address",
        "began",
        "patience",
        "site",
    )

    def __init__(self, intake: Intake, *, site: str = "", address: str = "") -> None:
        self._intake = intake
        self._lane = intake.small
        self._size = 0
        self._shared = self._gone = False
        self.site, self.address = f"site {site}", f"address {address}"
        self.patience = intake.patience
        self.began = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    async def read(
        self, receive: Receive, announced: bytes | None, hashing: Hashing | None = None
    ) -> bytes:
        """All of it. *announced* is the Content-Length: believed where it says too much, else
        the bytes themselves are counted as they come. *hashing* takes in what comes in several
        pieces, and nothing of what comes in one. Errors: `BodyRefused`."""
        if announced is not None and announced.isdigit():
            if int(announced) > self._intake.largest:
                raise BodyTooLarge
            if int(announced) > SMALL_BODY:
                self._lane = self._intake.large
        try:
            async with asyncio.timeout(self._intake.slowest) as self._timeout:
                first, more = await self._chunk(receive)
                if not more:
                    return first
                return await self._rest(first, receive, hashing)
        except TimeoutError:
            raise (NoRoom if self._gone else BodyTooSlow) from None

    def give_way(self) -> None:
        """End the reading: another body needs the room, which is free at once."""
        self._gone = True
        self._leave()
        self._timeout.reschedule(asyncio.get_running_loop().time())

    async def _rest(self, first: bytes, receive: Receive, hashing: Hashing | None) -> bytes:
        self.began = time.monotonic()
        self._share()
        chunks, more = [first], True
        while True:
            if hashing is not None:
                hashing.update(chunks[-1])
            if not more:
                break
            chunk, more = await self._chunk(receive)
            chunks.append(chunk)
        self._lane.arriving.pop(self, None)
        return b"".join(chunks)

    async def _chunk(self, receive: Receive) -> tuple[bytes, bool]:
        message = await receive()
        if self._gone:
            raise NoRoom
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._take(len(chunk))
        return chunk, message.get("more_body", False)

    def _take(self, size: int) -> None:
        self._size += size
        self._lane.held += size
        if self._shared:
            self._lane.shares[self.site] += size
            self._lane.shares[self.address] += size
        if self._size > self._intake.largest:
            raise BodyTooLarge
        if self._size > SMALL_BODY and self._lane is self._intake.small:
            self._move()
        if self._shared or self._lane.held > self._lane.most:
            self._lane.room_for(self)

    def _share(self) -> None:
        self._shared = True
        self._lane.arriving[self] = None
        self._lane.shares[self.site] += self._size
        self._lane.shares[self.address] += self._size
        self._lane.room_for(self)

    def _move(self) -> None:
        """It is a large one, whatever it said."""
        size, shared = self._size, self._shared
        self._leave()
        self._lane, self._size = self._intake.large, size
        self._lane.held += size
        if shared:
            self._share()

    def _leave(self) -> None:
        self._lane.held -= self._size
        if self._shared:
            for share in (self.site, self.address):
                self._lane.shares[share] -= self._size
                if self._lane.shares[share] <= 0:
                    del self._lane.shares[share]
            self._lane.arriving.pop(self, None)
        self._size, self._shared = 0, False
