"""One REST call and its answer, as the handlers see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from app.sandbox.fields import NAVIGABLE
from app.sandbox.model import Issue, Refusal, User
from app.sandbox.render import Json, View
from app.sandbox.site import JiraSite

JSON = (b"content-type", b"application/json;charset=UTF-8")


@dataclass(slots=True)
class Reply:
    """`headers` in ASGI form, lower-case names; Content-Length is added on the way out."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """`args` are the wildcards of the matched template, `query` keeps repeated names."""

    site: JiraSite
    user: User | None
    api: str
    args: tuple[str, ...]
    query: dict[str, list[str]]
    body: bytes
    request: str
    base: str
    issue_errors: frozenset[str] | None = None
    fail_issues: bool = False

    def view(self) -> View:
        return View(self.site, self.user, self.api, self.base)

    def json(self, *known: str) -> Json:
        """The body as an object. Anything else is 400, and so is a field outside *known*, if
        there are any."""
        try:
            made = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Refusal(400, "Invalid request payload. Refer to the REST API.") from None
        if not isinstance(made, dict):
            raise Refusal(400, "Invalid request payload. Refer to the REST API.")
        strange = [name for name in made if known and name not in known]
        if strange and self.site.flavour == "datacenter":
            raise Refusal(400, f'Unrecognized field "{strange[0]}", not marked as ignorable')
        if strange:
            raise Refusal(400, "Invalid request payload. Refer to the REST API.")
        return made

    def text(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[-1]

    def number(self, name: str, default: int) -> int:
        """A query number, else 400 when it is not one."""
        text = self.text(name, str(default))
        try:
            return int(text)
        except ValueError:
            raise Refusal(400, f"'{text}' is not a number.") from None

    def names(self, name: str) -> list[str]:
        """A list parameter: repeated, or comma-separated, or both."""
        return [
            part.strip() for text in self.query.get(name, []) for part in text.split(",") if part
        ]

    def signed_in(self) -> User:
        """The caller; anonymous ones get 401."""
        if self.user is None:
            raise Refusal(401, "You are not authenticated. Authentication required.")
        return self.user

    def admin(self) -> User:
        user = self.signed_in()
        if not user.admin:
            raise Refusal(403, "You are not authorized to perform this operation.")
        return user

    def issue(self, position: int = 0) -> Issue:
        return self.site.seen(self.user, self.args[position])


def ok(made: Any, status: int = 200) -> Reply:
    return Reply(status, orjson.dumps(made), [JSON])


def empty(status: int) -> Reply:
    return Reply(status)


def refused(refusal: Refusal) -> Reply:
    """An ErrorCollection."""
    made = {"errorMessages": refusal.messages, "errors": refusal.errors}
    return ok(made, refusal.status)


def chosen(
    call: Call, names: list[str], default: frozenset[str] | None
) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The fields to show (None: all) and those to leave out, from Jira's `fields` notation."""
    without = frozenset(name[1:] for name in names if name.startswith("-"))
    wanted = frozenset(name for name in names if not name.startswith("-"))
    if "*all" in wanted or (not wanted and default is None):
        return None, without
    if not wanted and default is not None:
        wanted = default
    if "*navigable" in wanted:
        wanted = (wanted | NAVIGABLE | frozenset(call.site.custom_fields)) - {"*navigable"}
    return wanted, without


def listed(value: Any, name: str) -> list[str]:
    """A list of strings from a body; None is empty; anything else, a string included, is 400."""
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return [str(part) for part in value]
    raise Refusal(400, errors={name: "data was not an array"})


def plain(call: Call, value: Any, name: str) -> str:
    """Human text from a body: a string up to version 2, an Atlassian document in version 3."""
    if value is None:
        return ""
    if call.api == "3":
        if not isinstance(value, dict) or value.get("type") != "doc":
            raise Refusal(400, errors={name: "Operation value must be an Atlassian Document (ADF)"})
        return "".join(_texts(value))
    if not isinstance(value, str):
        raise Refusal(400, errors={name: "Operation value must be a string"})
    return value


def _texts(node: dict[str, Any]) -> list[str]:
    found = [str(node["text"])] if "text" in node else []
    for child in node.get("content", ()):
        found += _texts(child)
    return found
