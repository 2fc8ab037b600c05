"""Metadata only, in logs too: neither credentials nor what people wrote, nor who they are.

Three nets. A field whose name says that it holds such a thing loses its value, whatever it is.
Every other text is searched for what can be recognised by its form. Exceptions lose their messages
(`exceptions`).
"""

import itertools
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

MASK = "[redacted]"

_DEEPEST = 8
"""Below this a value is masked whole: such a value is never logged on purpose."""

_SENSITIVE_WORDS = frozenset(
    {
        # credentials
        "apikey", "auth", "authorization", "cookie", "credential", "credentials", "hmac", "jwt",
        "passwd", "password", "pwd", "secret", "secrets", "signature", "token", "tokens",
        # what people wrote
        "body", "comment", "comments", "content", "description", "payload", "summary", "title",
        # who they are
        "accountid", "address", "assignee", "author", "creator", "email", "emails", "mail",
        "person", "reporter", "user", "username",
    }
)  # fmt: skip

_SENSITIVE_PAIRS = frozenset(
    {
        ("account", "id"), ("api", "key"), ("display", "name"), ("first", "name"),
        ("full", "name"), ("last", "name"), ("private", "key"), ("real", "name"),
    }
)  # fmt: skip

_HARMLESS = frozenset(
    {"token_id", "token_role", "user_agent", "content_type", "content_length", "body_bytes"}
)
"""Names that contain such a word and hold nothing of the kind."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[^a-z0-9]+")

_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(\w[\w+.-]*://)[^\s/@:]*:[^\s@]*@"), rf"\1{MASK}@"),
    # scheme://token@host
    (re.compile(r"(\w[\w+.-]*://)[^\s/@]+@"), rf"\1{MASK}@"),
    (re.compile(r"\b(bearer|basic|jwt)\s+[\w.~+/=:-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?<![a-z])((?:[\w-]*(?:token|secret|password|passwd|api_?key|signature)"
            r"|authorization)[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"',;&)}\]]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
)


def scrub(text: str) -> str:
    """`text` without what looks like a credential or an address."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def is_sensitive(name: str) -> bool:
    """Whether a field of this name has to lose its value. Errs towards masking."""
    words = [w for w in _SEPARATOR.split(_CAMEL.sub("_", name).lower()) if w]
    if "_".join(words) in _HARMLESS:
        return False
    return any(w in _SENSITIVE_WORDS for w in words) or any(
        pair in _SENSITIVE_PAIRS for pair in itertools.pairwise(words)
    )


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The structlog processor. Comes after exceptions became text and before rendering."""
    return {name: MASK if is_sensitive(name) else _clean(v, 0) for name, v in event.items()}


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST or isinstance(value, bytes | bytearray | memoryview):
        return MASK
    if isinstance(value, Mapping):
        return {
            scrub(str(name)): MASK if is_sensitive(str(name)) else _clean(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, Sequence | set | frozenset):
        return [_clean(item, depth + 1) for item in value]
    return scrub(str(value))
