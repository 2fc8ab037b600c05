"""What a PUT repeats of what is stored, so that it changes only what it names.

A PUT replaces the whole. Both are as JSON: what the API answered, and what it is sent.
"""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_SITE = (
    "base_url",
    "web_url",
    "deployment",
    "account_dedicated",
    "requests_per_second",
    "token_expires_at",
    "webhook_basic",
    "ca_certificates",
    "proxy",
)
_LEFT_OUT = ("requests_per_second", "token_expires_at", "ca_certificates")
"""Nothing, in place of these, is sent by leaving them out."""


def site_as_sent(known: Mapping[str, Any] | None, chosen: Mapping[str, Any]) -> Json:
    """The chosen settings with the present value of the others."""
    kept = {name: known[name] for name in _SITE if name in known} if known else {}
    wanted = kept | dict(chosen)
    if "auth" in chosen and "token_expires_at" not in chosen:
        wanted.pop("token_expires_at", None)  # it was the former token's
    for name in _LEFT_OUT:
        if wanted.get(name) in (None, 0, ""):
            wanted.pop(name, None)
    return wanted


def connection_as_sent(config: Mapping[str, Any]) -> Json:
    """The API returns every field, but refuses fields that have no effect."""
    twins = {name: value for name, value in config["twins"].items() if value is not None}
    return {**config, "twins": twins}
