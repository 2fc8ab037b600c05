"""Ends a block at a chosen request, like a killed process: no handler runs, nothing is settled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from app.sandbox import Fault, JiraSite


class Died(BaseException):
    """Not an `Exception`: no code of ours may catch it and tidy up."""


def die() -> None:
    raise Died


@asynccontextmanager
async def killed(
    jira: JiraSite, method: str, path: str, *, acted: bool, skip: int = 0
) -> AsyncIterator[None]:
    """The block ends at the first such request, before or after Jira acted on it."""
    kind = "after" if acted else "before"
    fault = jira.faults.add(
        Fault(kind, method, path, times=1, skip=skip, action=die)  # type: ignore[arg-type]
    )
    try:
        yield
    except Died:
        pass
    except httpx.HTTPError as error:  # pragma: no cover - the sandbox raises Died itself
        raise AssertionError("the crash was taken for an answer") from error
    assert fault.hits == 1, "nothing died"
