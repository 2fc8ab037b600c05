"""One pooled HTTP client per site: turns, time-outs, error translation, metrics."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx

from app.core.errors import NotSent, TransientError, TwinlinkError
from app.jira.http.access import SiteAccess
from app.jira.http.errors import connection_failure, facts, lost, refusal
from app.jira.http.liveness import liveness
from app.jira.http.lockout import Lockout
from app.jira.http.options import Options
from app.jira.http.request import Call
from app.jira.http.response import Answer, CallRecord
from app.jira.http.second_token import SecondToken
from app.jira.http.sign_in import SignIn
from app.jira.http.throttle import Throttle
from app.jira.rates.budget import Grant
from app.jira.rates.circuit import GO, Admission

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes after decompression. 100 issues with 2,000 links each stay below it."""

CONNECT_SECONDS = 5.0
"""The wait for a free connection, and again for a new one. A write checks its `send_before` before
this wait, and again at the socket."""

_AT_THE_SOCKET = "http11.send_request_headers.started"
"""The trace event of a connection right before it writes the first byte."""


@dataclass(slots=True)
class _Leaving:
    """When a request left, and the turn that it used."""

    grant: Grant | None
    at: float

    def now(self) -> None:
        self.at = monotonic()
        if self.grant is not None:
            self.grant.sent()


class Transport:
    """Sends calls to one site. Redirects are never followed: a redirect could carry the
    credentials to another host, and no REST call of Jira needs one."""

    def __init__(
        self,
        site: SiteAccess,
        http: httpx.AsyncBaseTransport,
        options: Options,
        signed_in: SignIn,
        *,
        failed: Callable[[TwinlinkError], None] | None = None,
    ) -> None:
        self._site = site
        self._budget = options.budget
        self._throttle = None if options.budget is None else Throttle(options.budget, site)
        self._circuit = options.circuit
        self._lockout = Lockout(site, options.locked)
        self._second = SecondToken(site, options.refused)
        self._sign_in = signed_in
        self._observe = options.observe
        self._failed = failed
        self._timeout = options.timeout_seconds
        self._now = options.now
        self._base = site.base_url.rstrip("/")
        connect = min(CONNECT_SECONDS, self._timeout)
        self._client = httpx.AsyncClient(
            transport=http,
            headers={
                "Accept": "application/json",
                "User-Agent": "twinlink",
            },
            timeout=httpx.Timeout(self._timeout, connect=connect, pool=connect),
            follow_redirects=False,
            trust_env=False,
        )

    async def call(self, call: Call) -> Answer:
        """Wait for the budget, send, and raise what `errors.refusal` makes of the answer. Errors
        name the site: of two, a person must know which."""
        try:
            return await self._in_turn(call)
        except TwinlinkError as error:
            error.facts.setdefault("site", self._site.name)
            raise

    async def _in_turn(self, call: Call) -> Answer:
        await self._lockout.retell()
        self._lockout.refuse(call)
        if self._circuit is not None and (left := self._circuit.left(self._site.id)) > 0:
            raise _stopped(call, left)  # before the call uses a turn
        grant = await self._take_turn(call)
        admission = await self._admission(call)
        self._lockout.refuse(call)  # locked while it waited
        self._refuse_if_late(call)
        started = monotonic()
        answer: Answer | None = None
        failure: TwinlinkError | None = None
        outcome = "ok"
        try:
            leaving = _Leaving(grant, started)
            answer = await self._send(call, leaving)
            await self._lockout.heed(answer)
            failure = await self._judge(answer, call, monotonic() - leaving.at)
            if failure is not None:
                raise failure
        except TwinlinkError as error:
            failure, outcome = error, error.code
            await self._heed(error)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        else:
            return answer
        finally:
            self._report(call, answer, outcome, monotonic() - started)
            if self._circuit is not None:
                await self._circuit.report(self._site.id, admission, liveness(answer, failure))

    async def _heed(self, error: TwinlinkError) -> None:
        """What the end of a call says about our standing there."""
        if self._failed is not None:
            self._failed(error)
        self._sign_in.heed(error)
        await self._second.heed(error)

    async def _judge(self, answer: Answer, call: Call, ago: float) -> TwinlinkError | None:
        """What the answer means on every call, after the budget has heard of it. An error names
        the pause that the budget keeps."""
        now = self._now()
        paused = await self._throttle.heed(call, answer, now, ago) if self._throttle else None
        failure = refusal(answer, call, now)
        if paused is not None and isinstance(failure, TransientError):
            failure.retry_after = paused
        return failure

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._sign_in.aclose()

    async def _take_turn(self, call: Call) -> Grant | None:
        if self._budget is None:
            return None
        try:
            async with asyncio.timeout(self._seconds_left(call)):
                return await self._budget.take(
                    self._site.id,
                    call.endpoint,
                    call.method,
                    call.issues,
                    bulk=call.bulk,
                    rate=self._site.rate,
                )
        except TimeoutError:
            raise NotSent("send_before_passed", facts=facts(call)) from None

    def _refuse_if_late(self, call: Call) -> None:
        left = self._seconds_left(call)
        if left is not None and left <= 0:
            raise NotSent("send_before_passed", facts=facts(call))

    def _watch(self, call: Call, leaving: "_Leaving") -> dict[str, Any]:
        """Looks at the clock once more when the connection is there and nothing was written, and
        lets the budget know that the request leaves now. If that took long its turn is over, and
        it waits for another one."""

        async def trace(event: str, _info: object) -> None:
            if event == _AT_THE_SOCKET:
                if leaving.grant is not None and leaving.grant.lapsed():
                    leaving.grant = await self._take_turn(call)
                self._lockout.refuse(call)
                self._refuse_if_late(call)
                leaving.now()

        return {"trace": trace}

    async def _admission(self, call: Call) -> Admission:
        """The circuit may have opened while the call waited for its turn."""
        if self._circuit is None:
            return GO
        admission = await self._circuit.admit(self._site.id, write=call.write)
        if admission.wait is not None:
            raise _stopped(call, admission.wait)
        return admission

    def _seconds_left(self, call: Call) -> float | None:
        if call.send_before is None:
            return None
        return (call.send_before - self._now()).total_seconds()

    async def _send(self, call: Call, leaving: "_Leaving") -> Answer:
        request = self._client.build_request(
            call.method,
            self._base + call.path,
            json=call.body,
            params=call.params,
            headers={"Authorization": await self._sign_in.header()},
            extensions=self._watch(call, leaving),
        )
        try:
            # httpx limits single reads; this limits the whole answer, also a slow one.
            async with asyncio.timeout(self._timeout):
                response = await self._client.send(request, stream=True)
                try:
                    body = await self._read(response, call)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise lost(call, self._now(), "timeout") from None
        except httpx.TransportError as error:
            raise connection_failure(error, call, self._now()) from None
        except httpx.DecodingError:
            raise lost(call, self._now(), "bad_answer") from None
        return Answer(response.status_code, response.headers, body)

    async def _read(self, response: httpx.Response, call: Call) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > BODY_LIMIT:
                raise self._too_large(call)
            parts.append(part)
        return b"".join(parts)

    def _too_large(self, call: Call) -> TransientError:
        error = lost(call, self._now(), "bad_answer")
        error.detail = "body too large"
        return error

    def _report(self, call: Call, answer: Answer | None, outcome: str, seconds: float) -> None:
        if self._observe is not None:
            self._observe(CallRecord.of(self._site.id, call, answer, outcome, seconds))


def _stopped(call: Call, seconds: float) -> NotSent:
    return NotSent("circuit_open", facts=facts(call), retry_after=seconds)
