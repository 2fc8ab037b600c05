"""`X-Hub-Signature`: HMAC of the raw body, the same on Cloud and Data Center."""

import hmac
from collections.abc import Sequence

_PREFIX = "sha256="


def verify_signature(raw: bytes, header: str | None, secrets: Sequence[bytes]) -> bool:
    """Whether one of *secrets* signed *raw*. All are tried, so that the time does not tell
    which; an empty secret signs nothing, because anybody can sign with it."""
    if header is None or not header.isascii() or not header.lower().startswith(_PREFIX):
        return False
    given = header[len(_PREFIX) :].strip().lower().encode("ascii")
    valid = False
    for secret in secrets:
        expected = hmac.digest(secret, raw, "sha256").hex().encode("ascii")
        valid |= bool(secret) and hmac.compare_digest(expected, given)
    return valid
