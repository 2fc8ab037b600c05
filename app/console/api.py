"""The REST API as pages call it: inside the process, with the rights of the signed-in token."""

from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from app.store.access.sessions import SIGNED_IN, SignedIn

V1 = "/api/v1"

Json = dict[str, Any]


class Refused(Exception):
    """The API said no: its problem document, as it is."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("code", status)))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))


class Api:
    """*client* is the browser's address, by which the API counts failed attempts."""

    def __init__(
        self, app: ASGIApp, who: SignedIn | None, client: tuple[str, int] | None = None
    ) -> None:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            if who is not None:
                scope[SIGNED_IN] = who
            await app(scope, receive, send)

        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(called, client=client or ("127.0.0.1", 0)),
            base_url="http://console.internal",
        )

    async def get(self, path: str, **params: object) -> Json:
        given = {name: str(value) for name, value in params.items() if value not in (None, "")}
        return await self._send("GET", path, params=given)

    async def post(self, path: str, body: Json | None = None) -> Json:
        return await self._send("POST", path, json={} if body is None else body)

    async def put(self, path: str, body: Json, *, version: int | None = None) -> Json:
        """Refused where *version* is named and is not the present one."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return await self._send("PUT", path, json=body, headers=headers)

    async def delete(self, path: str) -> Json:
        return await self._send("DELETE", path)

    async def bearer(self, path: str, token: str) -> Json:
        """A GET with a token's text: how a person signs in, counted like any other attempt."""
        return await self._send("GET", path, headers={"Authorization": f"Bearer {token}"})

    async def _send(self, method: str, path: str, **content: Any) -> Json:
        answer = await self._client.request(method, f"{V1}/{path}", **content)
        if answer.is_error:
            raise Refused(answer.status_code, _problem(answer))
        found: Json = answer.json() if answer.content else {}
        return found


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}
