"""One HTTP answer of Jira: status, the few headers that matter, and a bounded body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from app.core.errors import TransientError
from app.jira.http.request import Call

JsonObject = dict[str, Any]

ANONYMOUS_REASON = "AUTHENTICATED_FAILED"
LOCKED_REASON = "AUTHENTICATION_DENIED"
"""Of `X-Seraph-LoginReason`: the attempt to log in failed, or was not even made."""

TRIAL_PREFIXES = ("x-beta-", "beta-")
"""Prefix of the names that Atlassian gives rate-limit headers before it enforces the limits."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` ignores the case of names. The body never enters an error."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def at(self) -> datetime | None:
        """Jira's own clock, whole seconds; None where the header is missing or unreadable."""
        text = self.headers.get("date")
        if text is None:
            return None
        try:
            parsed = parsedate_to_datetime(text)
        except ValueError:
            return None
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)

    def limit_header(self, name: str) -> str:
        """A rate-limit header under its plain name, or under its name during a trial period."""
        for prefix in ("", *TRIAL_PREFIXES):
            value = self.headers.get(prefix + name)
            if value is None and name.startswith("x-"):
                value = self.headers.get(prefix + name.removeprefix("x-"))
            if value is not None:
                return value.strip()
        return ""

    @property
    def anonymous(self) -> bool:
        """Whether Jira answered as to an anonymous caller, with any status.

        Both deployments send `X-Seraph-LoginReason`; Data Center also names the user it served.
        """
        if ANONYMOUS_REASON in self.headers.get("x-seraph-loginreason", "").upper():
            return True
        return self.headers.get("x-ausername", "").strip().lower() == "anonymous"

    @property
    def locked(self) -> bool:
        """Whether a person must log in and solve a CAPTCHA before Jira checks credentials again,
        with any status."""
        denied = self.headers.get("x-authentication-denied-reason", "").strip().upper()
        reason = self.headers.get("x-seraph-loginreason", "").upper()
        return denied.startswith("CAPTCHA") or LOCKED_REASON in reason

    @property
    def request_id(self) -> str | None:
        """The id to quote to Atlassian's support: printable ASCII, at most 64 characters."""
        for name in ("atl-traceid", "x-arequestid", "x-trace-id"):
            value = self.headers.get(name)
            if value and value.isascii() and value.isprintable():
                return value[:64]
        return None

    @property
    def html(self) -> bool:
        """A log-in page, a maintenance page or a proxy: never Jira's REST API."""
        return "html" in self.headers.get("content-type", "").lower()

    def json(self) -> Any:
        """The parsed body. A body that is not complete JSON raises `TransientError`."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise TransientError("bad_answer", "not JSON", {"status": self.status}) from None
        # The parser would keep only the last of two lists of links with the same name.
        if not _is_unambiguous(self.body, value):
            raise TransientError("bad_answer", "a name twice", {"status": self.status})
        return value

    def json_object(self) -> JsonObject:
        """As `json`, for an object; anything else raises `TransientError` `bad_answer`."""
        value = self.json()
        if not isinstance(value, dict):
            raise TransientError("bad_answer", "not an object", {"status": self.status})
        return value


def _is_unambiguous(body: bytes, value: object) -> bool:
    """Whether no object has a name twice. Jira writes compact JSON: if it reads back the same, no
    name does. Other bodies need the slow check; those nested too deep for it count as ambiguous."""
    try:
        if orjson.dumps(value) == body:
            return True
        json.loads(body, object_pairs_hook=_once)
    except (orjson.JSONEncodeError, ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, object]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One request, for metrics and traces: identifiers only.

    `status` is None where no answer came; `outcome` is "ok" or the code of the error.
    """

    site: int
    endpoint: str
    method: str
    status: int | None
    outcome: str
    seconds: float
    request_id: str | None = None

    @classmethod
    def of(
        cls, site: int, call: Call, answer: Answer | None, outcome: str, seconds: float
    ) -> "CallRecord":
        status = answer.status if answer else None
        request_id = answer.request_id if answer else None
        return cls(site, call.endpoint, call.method, status, outcome, seconds, request_id)
