"""A client of the REST API: it returns JSON values and raises `CommandError` for refusals."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import typer

from app.cli.client.data_dir import client_settings
from app.cli.client.problem_words import Ask, details, meant_by, words
from app.cli.output.errors import CommandError, UsageError
from app.settings import Settings

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LARGEST_PAGE = 1000
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Params = Mapping[str, str | int | None]


class Refused(CommandError):
    """The service refused the request. `status` is the HTTP status, `reason` the problem's code.

    `ask` is called only where the refusal is told: what exists instead of a name that does not."""

    def __init__(self, answer: httpx.Response, ask: Ask) -> None:
        self.status = answer.status_code
        self._problem, self._request, self._ask = _problem(answer), answer.request, ask
        self.reason = str(self._problem.get("code", ""))
        super().__init__(
            words(answer, self._problem), details=details(self._problem, self._request)
        )

    def told(self) -> Sequence[str]:
        return (*meant_by(self._problem, self._request, self._ask), *self.details)


class Unreachable(CommandError):
    """No answer, or an incomplete one: the service may have acted or not."""


class Service:
    """`transport` replaces the network in tests."""

    def __init__(self, settings: Settings, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = settings.api_url
        token = settings.api_token or settings.admin_token
        if token is None:
            raise UsageError(
                "there is no API token",
                details=["set TWINLINK_API_TOKEN; no token is needed where `twinlink up` runs"],
            )
        self._settings, self._transport = settings, transport
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1/",
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            timeout=_TIMEOUT,
            transport=transport,
            # A proxy cannot reach this machine's loopback address.
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        return self._send("GET", path, params=_present(params))

    def text(self, path: str, params: Params | None = None) -> str:
        """The answer as text, not parsed."""
        with self._reaching():
            answer = self._client.get(path, params=_present(params))
        if answer.is_error:
            raise Refused(answer, self._anew)
        return answer.text

    def post(self, path: str, body: Any = None) -> Any:
        return self._send("POST", path, **({} if body is None else {"json": body}))

    def put(self, path: str, body: Any, *, revision: int | None = None) -> Any:
        """With `revision`, the service refuses unless that is the current one."""
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        return self._send("PUT", path, json=body, headers=headers)

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path)

    def listing(self, path: str, params: Params | None = None, *, limit: int) -> dict[str, Any]:
        """The first `limit` items, from as many pages as needed, in the shape of one page. Where
        there are none, a connection or site that *params* name has to exist."""
        items: list[Any] = []
        cursor: str | None = None
        while len(items) < limit:
            asked = {"limit": min(limit - len(items), _LARGEST_PAGE), "cursor": cursor}
            page = self.get(path, {**(params or {}), **asked})
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        if not items:
            self._refuse_unknown(params or {})
        return {"items": items, "next": cursor}

    def _refuse_unknown(self, params: Params) -> None:
        for noun in ("connection", "site"):
            if params.get(noun) is not None:
                self.get(f"{noun}s/{params[noun]}")

    def every(self, path: str, params: Params | None = None) -> Iterator[dict[str, Any]]:
        """All items, a page in memory at a time."""
        cursor: str | None = None
        while True:
            asked = {**(params or {}), "limit": _LARGEST_PAGE, "cursor": cursor}
            page = self.get(path, asked)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    @contextmanager
    def lines(self, path: str, params: Params | None = None) -> Iterator[Iterator[str]]:
        """The lines of a long answer as they arrive."""
        asked = self._client.build_request("GET", path, params=_present(params))
        with self._reaching():
            answer = self._client.send(asked, stream=True)
            try:
                if answer.is_error:
                    answer.read()
                    raise Refused(answer, self._anew)
                yield answer.iter_lines()
            finally:
                answer.close()

    def _anew(self, path: str) -> list[str]:
        """Names of what is listed there, by a client of its own: ours is closed once a command has
        ended. None where the list cannot be had."""
        try:
            with Service(self._settings, transport=self._transport) as again:
                return [str(it["name"]) for it in again.every(path)]
        except CommandError:
            return []

    def _send(self, method: str, path: str, **content: Any) -> Any:
        with self._reaching():
            answer = self._client.request(method, path, **content)
        if answer.is_error:
            raise Refused(answer, self._anew)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise CommandError(f"the server at {self.url} is not Twinlink") from None

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Unreachable(
                f"no answer from {self.url}",
                details=["start it with `twinlink up`, or set TWINLINK_API_URL"],
            ) from None
        except httpx.TransportError as error:
            raise Unreachable(
                f"the answer of {self.url} broke off: {type(error).__name__}"
            ) from None


def service(ctx: typer.Context) -> Service:
    """The service that this command calls. `ctx.obj` is the transport of a test, otherwise None."""
    return ctx.with_resource(Service(client_settings(), transport=ctx.obj))


def _present(params: Params | None) -> dict[str, str | int]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
