"""Status codes, headers and broken connections, as `core.errors`.

=========================  ==============================  ===============================
what happened              a read                          a write
=========================  ==============================  ===============================
refused, DNS, connecting   NotSent unreachable             NotSent unreachable
no free connection         NotSent busy                    NotSent busy
time-out after sending     Transient timeout               OutcomeUnknown timeout
connection dropped         Transient dropped               OutcomeUnknown dropped
a CAPTCHA is wanted        SiteLocked                      SiteLocked; 2xx or 5xx: OutcomeUnknown
answer as nobody           Anonymous                       Anonymous; 2xx or 5xx: OutcomeUnknown
2xx that is a web page     Transient bad_answer            OutcomeUnknown bad_answer
3xx                        Permanent redirected            Permanent redirected
401 / 403                  Permanent unauthorized / forbidden; a write: see `JiraClient`
408                        Transient timeout               OutcomeUnknown timeout
409, 423, 425              Transient conflict              NotSent conflict
429                        NotSent rate_limited            NotSent rate_limited
5xx                        ServerFailed server_error       OutcomeUnknown server_error
=========================  ==============================  ===============================

400, 404 and 413 mean different things on different calls, so each caller judges them. No text
of Jira's answer enters an error: it may quote an issue.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from app.core.errors import (
    Anonymous,
    NotSent,
    OutcomeUnknown,
    PermanentError,
    ServerFailed,
    SiteLocked,
    TransientError,
    TwinlinkError,
)
from app.jira.http.request import Call
from app.jira.http.response import Answer

Facts = dict[str, str | int | float | None]

DEFAULT_RETRY_AFTER = 5.0
"""Seconds. Gateways send 429 without `Retry-After` (docs/jira.md)."""

LONGEST_RETRY_AFTER = 3600.0
"""Seconds. Hourly quotas end at the next hour; a longer pause would be a broken header."""

LONGEST_5XX = 300.0
"""Seconds. A failing server's `Retry-After` is a guess (a proxy's page says an hour for a
restart of minutes), so the site is asked again sooner than an hourly quota would be."""

_REASON_LENGTH = 64


def facts(call: Call, answer: Answer | None = None) -> Facts:
    """The details of a call that an error may contain: identifiers and numbers."""
    found: Facts = {"endpoint": call.endpoint, "method": call.method}
    if answer is not None:
        found["status"] = answer.status
        found["request_id"] = answer.request_id
    return found


def lost(call: Call, at: datetime, code: str) -> TransientError:
    """The error for a request that left, or may have, without a usable answer."""
    if call.write:
        return OutcomeUnknown(code, facts=facts(call), at=at)
    return TransientError(code, facts=facts(call))


def connection_failure(error: httpx.TransportError, call: Call, at: datetime) -> TransientError:
    """*Not sent* if the request certainly never left, otherwise *outcome unknown*."""
    if isinstance(error, httpx.PoolTimeout):
        return NotSent("busy", "no free connection", facts(call))
    # A proxy that refuses does so before there is a way to the site.
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return NotSent("unreachable", type(error).__name__, facts(call))
    timed_out = isinstance(error, httpx.TimeoutException)
    return lost(call, at, "timeout" if timed_out else "dropped")


def refusal(answer: Answer, call: Call, at: datetime) -> TwinlinkError | None:
    """The error that this answer means on every call; None if its meaning depends on the call."""
    found = facts(call, answer)
    status = answer.status
    if answer.locked or answer.anonymous:
        return _as_nobody(answer, call, at, found)
    if 200 <= status < 300:
        return _web_page(answer, call, at, found)
    if 300 <= status < 400:
        return PermanentError("redirected", facts=found)
    if status in {401, 403}:
        return PermanentError("unauthorized" if status == 401 else "forbidden", facts=found)
    if status == 429:
        return _rate_limited(answer, found, at)
    if status in {409, 423, 425}:
        return NotSent("conflict", facts=found)
    if status == 408 or status >= 500:
        code = "timeout" if status == 408 else "server_error"
        failed = _server_failed(call, at, found, code, failing=status >= 500)
        failed.retry_after = retry_after(answer, at)
        return failed
    return None


def unexpected(answer: Answer, call: Call) -> PermanentError:
    """The error for a 4xx that has no meaning for this call."""
    return PermanentError("refused", facts=facts(call, answer))


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds from `Retry-After` (number or HTTP date) or `X-RateLimit-Reset` (ISO 8601);
    None where neither names a time ahead.

    Jira sends `Retry-After: 0`, and a reset in whole minutes of which the minute is over
    (docs/jira.md). Neither says how long to wait; in particular, they do not mean no wait.
    """
    text = answer.limit_header("retry-after")
    resets = _http_date(text), _iso_date(answer.limit_header("x-ratelimit-reset"))
    named = [_number(text), *((until - now).total_seconds() for until in resets if until)]
    ahead = next((seconds for seconds in named if seconds is not None and seconds > 0), None)
    if ahead is None:
        return None
    return min(ahead, LONGEST_5XX if answer.status >= 500 else LONGEST_RETRY_AFTER)


def _as_nobody(answer: Answer, call: Call, at: datetime, found: Facts) -> TwinlinkError:
    # An anonymous write with a 2xx may still have acted (anonymous link permission).
    if call.write and (200 <= answer.status < 300 or answer.status >= 500):
        code = "captcha_required" if answer.locked else "anonymous"
        return OutcomeUnknown(code, facts=found, at=at)
    if answer.locked:
        return SiteLocked("captcha_required", facts=found)
    return Anonymous("anonymous", facts=found)


def _web_page(answer: Answer, call: Call, at: datetime, found: Facts) -> TwinlinkError | None:
    if not answer.html or answer.status == 204:
        return None
    return _server_failed(call, at, found, "bad_answer")


def _server_failed(
    call: Call, at: datetime, found: Facts, code: str, *, failing: bool = False
) -> TransientError:
    if call.write:
        return OutcomeUnknown(code, facts=found, at=at)
    return ServerFailed(code, facts=found) if failing else TransientError(code, facts=found)


def _rate_limited(answer: Answer, found: Facts, now: datetime) -> NotSent:
    reason = answer.limit_header("ratelimit-reason")[:_REASON_LENGTH]
    seconds = retry_after(answer, now)
    found["reason"] = reason or None
    return NotSent(
        "rate_limited",
        facts=found,
        retry_after=DEFAULT_RETRY_AFTER if seconds is None else seconds,
    )


def _number(text: str) -> float | None:
    # isdecimal alone would take Unicode digits, which float() takes too, but no Jira sends.
    plain = text.replace(".", "", 1)
    return float(text) if plain.isascii() and plain.isdecimal() and len(text) < 16 else None


def _http_date(text: str) -> datetime | None:
    try:
        return _aware(parsedate_to_datetime(text)) if text else None
    except ValueError:
        return None


def _iso_date(text: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(text)) if text else None
    except ValueError:
        return None


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value
