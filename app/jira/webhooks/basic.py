"""Basic authentication of deliveries, for a Data Center that signs nothing (docs/jira.md).

Its administrator puts the site's secret into the webhook's URL, as Atlassian documents:
`https://twinlink:SECRET@host/webhooks/jira/site`. It authenticates the sender and not the body, so
it counts only where a site allows it, and only for deliveries without a signature.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable

NAME = b"twinlink"


def verify_basic(authorization: str | None, secrets: Iterable[bytes]) -> bool:
    """Whether the header carries our name and one of *secrets*. All are compared, in constant time;
    an empty secret never counts."""
    given = _given(authorization)
    found = [
        hmac.compare_digest(given, NAME + b":" + secret) and bool(secret) for secret in secrets
    ]
    return bool(given) and any(found)


def _given(authorization: str | None) -> bytes:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
