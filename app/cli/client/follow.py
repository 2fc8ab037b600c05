"""Follow a task of the service until it is over."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.cli.client.api_client import Service, Unreachable

_SECONDS = 0.5
"""Seconds between two requests where there is no event stream."""
_PATIENCE = 10
"""Failed requests in a row before giving up: a restart of the service fails some."""

State = dict[str, Any]


def looks(look: Callable[[], State], *, first: State | None = None) -> Iterator[State]:
    """States, requested one after another until the caller stops iterating."""
    if first is not None:
        yield first
    while True:
        yield look()
        pause()


def pause() -> None:
    threading.Event().wait(_SECONDS)


def events(api: Service, path: str, is_over: Callable[[State], bool]) -> Iterator[State]:
    """The states from the event stream at `path`, including the last one. A stream that
    breaks off is opened again."""
    failed = 0
    while True:
        try:
            state: State = api.get(path)
            yield state
            if is_over(state):
                return
            with api.lines(f"{path}/events") as lines:
                for told in _data(lines):
                    failed = 0
                    yield told
                    if is_over(told):
                        return
        except Unreachable:
            failed += 1
            if failed == _PATIENCE:
                raise
        pause()


def _data(lines: Iterable[str]) -> Iterator[State]:
    """The JSON objects of a stream of server-sent events; comments and event names are skipped."""
    for line in lines:
        if line.startswith("data:"):
            found = json.loads(line.removeprefix("data:"))
            if isinstance(found, dict) and "status" in found:
                yield found
