"""Problems of the API in the command line's language: options and commands, not pointers."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from app.cli.output.closest import did_you_mean

Ask = Callable[[str], list[str]]
"""The names in a list of the API, by its path."""

_HINTS: Mapping[str, str] = {
    "unauthenticated": "the token is not valid: set TWINLINK_API_TOKEN; on the machine where"
    " `twinlink up` runs, unset it and TWINLINK_API_URL",
    "account_not_dedicated": "twinlink site put SITE --dedicated declares that the account is"
    " Twinlink's alone",
    "site_unchecked": "twinlink site check SITE",
    "site_unknown": "twinlink site list",
    "connection_unknown": "twinlink connection list",
    "site_unavailable": "twinlink site check SITE says more",
    "site_refuses": "twinlink site check SITE says more",
    "plan_unknown": "twinlink plan list",
    "engine_unknown": "twinlink engine list",
    "engine_digest": "they are others by now: look again with twinlink engine list",
    "plan_digest": "it has changed since: look again with twinlink plan show",
    "guard_resets_spent": "twinlink guard show NAME says when the next is possible",
    "stale": "another change came first: look again, and repeat yours",
    "twin_unknown": "twinlink twins list NAME",
    "incident_unknown": "twinlink incident list",
    "resync_unknown": "twinlink resyncs list",
    "restore_unknown": "twinlink restores list",
    "failure_unknown": "twinlink failures",
    "token_unknown": "twinlink token list",
    "revision_unknown": "twinlink connection revisions NAME",
}
_NAMED_IN: Mapping[str, str] = {"site_unknown": "sites", "connection_unknown": "connections"}
_FIELDS: Mapping[str, str] = {"site": "sites", "connection": "connections"}
_OPTIONS: Mapping[str, str] = {
    "base_url": "--base-url",
    "web_url": "--web-url",
    "webhook_secret": "--webhook-secret-file",
    "auth/token": "--token-file",
    "auth/token_url": "--token-url",
    "auth": "--token-file (and --email for Cloud)",
    "direction": "--direction",
    "approvals": "--approvals",
    "twins": "--twin-field",
    "since": "--since",
    "until": "--until",
    "requests_per_second": "--rate",
    "token_expires_at": "--token-expires",
}


def words(answer: httpx.Response, problem: Mapping[str, Any]) -> str:
    title = str(problem.get("title") or f"{answer.status_code} {answer.reason_phrase}")
    detail = str(problem.get("detail") or "")
    said = title if detail in ("", title) else f"{title}: {detail}"
    code = problem.get("code")
    return f"{said} ({code})" if code else said


def details(problem: Mapping[str, Any], request: httpx.Request) -> list[str]:
    """What is wrong where, what to do, and by which number the service's log knows the request."""
    errors = problem.get("errors")
    found = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    said = [_at(str(e.get("pointer") or ""), str(e.get("detail", ""))) for e in found]
    hint = _named(_HINTS.get(str(problem.get("code")), ""), request)
    number = problem.get("request_id")
    return [*said, *([hint] if hint else []), *([f"request {number}"] if number else [])]


def _named(hint: str, request: httpx.Request) -> str:
    """With the name that the request is about, so that the command can be copied."""
    for word, listed in (("NAME", "connections"), ("SITE", "sites")):
        name = _name_in(request, listed)
        hint = hint.replace(word, name) if name else hint
    return hint


def _name_in(request: httpx.Request, listed: str) -> str:
    _, _, rest = request.url.path.partition(f"/{listed}/")
    return unquote(rest.partition("/")[0])


def meant_by(problem: Mapping[str, Any], request: httpx.Request, ask: Ask) -> list[str]:
    """What a person meant by a name in *request* that does not exist, as far as one is like it."""
    listed = _NAMED_IN.get(str(problem.get("code")))
    if listed is not None:
        return _meant([_name_in(request, listed)], listed, ask)
    errors = [it for it in problem.get("errors") or () if isinstance(it, dict)]
    sent = _object(request)
    return [
        meant
        for it in errors
        for meant in _of_field(str(it.get("pointer")), str(it.get("detail")), sent, request, ask)
    ]


def _of_field(
    pointer: str, detail: str, sent: dict[str, Any], request: httpx.Request, ask: Ask
) -> list[str]:
    """A name that does not exist, or a word that is none of those that *detail* quotes."""
    steps = pointer.strip("/").split("/")
    if steps[0] == "query":
        value: Any = request.url.params.get(steps[-1])
    else:
        value = sent
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return []
    if steps[-1] in _FIELDS:
        return _meant([value], _FIELDS[steps[-1]], ask)
    meant = did_you_mean(value, re.findall(r"'([^']*)'", detail))
    return [meant] if meant and value not in meant else []


def _meant(names: list[str], listed: str, ask: Ask) -> list[str]:
    known = ask(listed) if any(names) else []
    unknown = [name for name in names if name and name not in known]
    return [meant for name in unknown if (meant := did_you_mean(name, known))]


def _object(request: httpx.Request) -> dict[str, Any]:
    try:
        sent = json.loads(request.content)
    except ValueError:
        return {}
    return sent if isinstance(sent, dict) else {}


def _at(pointer: str, detail: str) -> str:
    """`/left/projects/0` is the first project on the left."""
    path = pointer.strip("/")
    if path in _OPTIONS:
        return f"{_OPTIONS[path]}: {detail}"
    match path.split("/"):
        case ["link_types", at, *rest] if at.isdecimal():
            side = f", {rest[0]}" if rest else ""
            return f"--link-type {int(at) + 1}{side}: {detail}"
        case ["left" | "right" as side, *_]:
            return f"--{side}: {detail}"
        case ["query", name]:
            return f"--{name.replace('_', '-')}: {detail}"
        case [""]:
            return detail
        case parts:
            shown = " ".join(str(int(it) + 1) if it.isdecimal() else it for it in parts)
            return f"{shown.replace('_', ' ')}: {detail}"
