"""Streams of server-sent events, as many as a process can keep up with.

Each costs a look at the database several times a minute for as long as its reader stays, so that
an unbounded number of them keeps a process from its other work.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

PER_SESSION = 8
"""Pages of one signed-in person that refresh themselves at a time."""
PER_TOKEN = 32
"""Of a token, with all its sessions: it may serve a team, and not use up the process."""
PER_PROCESS = 128


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a stream: a token, and the session of the console that it is read in, if any."""

    token: str
    session: str | None = None


@dataclass(eq=False)
class TooManyStreams(Exception):
    """*limit* says which one is reached. Those that are open stay."""

    limit: str


class OpenStreams:
    """Those of one process."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, str]] = Counter()

    @property
    def count(self) -> int:
        return self._open["process", ""]

    @contextmanager
    def one_more(self, reader: Reader) -> Iterator[None]:
        """Raises `TooManyStreams`."""
        counted = [("process", "", PER_PROCESS), ("token", reader.token, PER_TOKEN)]
        if reader.session is not None:
            counted.append(("session", reader.session, PER_SESSION))
        for kind, name, most in reversed(counted):
            if self._open[kind, name] >= most:
                raise TooManyStreams(f"at most {most} open streams per {kind}")
        places = [(kind, name) for kind, name, _ in counted]
        self._open.update(places)
        try:
            yield
        finally:
            self._open.subtract(places)
            self._open += Counter()  # forgets those at zero


class Events(EventSourceResponse):
    """Ends when its reader goes away; raises `TooManyStreams` before it begins."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        streams: OpenStreams,
        reader: Reader,
        *,
        ping: int,
        headers: Mapping[str, str] | None = None,
        status_code: int = 200,
    ) -> None:
        super().__init__(events, status_code, ping=ping, headers=headers)
        self._streams = streams
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.one_more(self._reader):
            await super().__call__(scope, receive, send)
