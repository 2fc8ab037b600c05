"""A client of the service, over its socket and with a token."""

from typing import Any, Self

import httpx

from app.demo.failed import DemoFailed
from app.settings import Settings

Json = dict[str, Any]
CONNECTION = "demo"

_BUSY = ("backlog", "in_flight", "delayed", "resyncs")


class Service:
    """Answers are the JSON of the REST API; a refusal is a `DemoFailed` in the API's words."""

    def __init__(self, settings: Settings, url: str) -> None:
        assert settings.admin_token is not None
        token = settings.admin_token.get_secret_value()
        self.url = url
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: str | int) -> Any:
        return await self._send("GET", path, params=params)

    async def items(self, path: str, **params: str | int) -> list[Json]:
        """Every item of a list, page by page."""
        found: list[Json] = []
        more: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=1000, **params, **more)
            found += page["items"]
            if page["next"] is None:
                return found
            more = {"cursor": page["next"]}

    async def put(self, path: str, body: Json) -> Any:
        return await self._send("PUT", path, json=body)

    async def post(self, path: str, body: Json | None = None) -> Any:
        return await self._send("POST", path, **({} if body is None else {"json": body}))

    async def status(self, connection: str = CONNECTION) -> Json:
        found: Json = await self.get(f"connections/{connection}/status")
        return found

    async def connection(self, name: str = CONNECTION) -> Json:
        found: Json = await self.get(f"connections/{name}")
        return found

    async def is_quiet(self, connection: str = CONNECTION) -> bool:
        status = await self.status(connection)
        return not any(status[name] for name in _BUSY)

    async def ready(self) -> Json:
        """What the readiness probe says; it lies outside the REST API and takes no token."""
        answer = await self._client.get("/readyz")
        if answer.is_error:
            raise DemoFailed(f"GET /readyz answered {answer.status_code}: {answer.text}")
        found: Json = answer.json()
        return found

    async def _send(self, method: str, path: str, **content: Any) -> Any:
        answer = await self._client.request(method, f"/api/v1/{path}", **content)
        if answer.is_error:
            raise DemoFailed(
                f"{method} /api/v1/{path} answered {answer.status_code}: {answer.text}"
            )
        return answer.json() if answer.content else None
