"""Readiness as a probe sees it: an answer is kept for a second, so that a change shows then."""

from typing import Any

import httpx

from tests.support.waiting import until


async def ready(client: httpx.AsyncClient, **expected: object) -> dict[str, Any]:
    """What `/readyz` says once it has these fields, with the status of its answer as `code`."""
    seen: dict[str, Any] = {}

    async def said() -> bool:
        answer = await client.get("/readyz")
        seen.update(answer.json(), code=answer.status_code)
        return all(seen.get(name) == value for name, value in expected.items())

    await until(said, f"{expected} of /readyz", seconds=10)
    return seen
