"""`X-Hub-Signature`: HMAC of the raw body, the same on Cloud and Data Center."""

import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "sha256="


class BodyHashes:
    """The hashes of a body, computed while it arrives in pieces.

    They are complete once `size` is the size of the body. For a body that arrives whole they stay
    empty.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.size = 0
        self._secrets = secrets
        self._sha256 = hashlib.sha256()
        self._signed: list[hmac.HMAC] = []

    def update(self, chunk: bytes) -> None:
        if not self.size:
            self._signed = [hmac.new(secret, digestmod="sha256") for secret in self._secrets]
        self.size += len(chunk)
        self._sha256.update(chunk)
        for signed in self._signed:
            signed.update(chunk)

    def sha256(self) -> bytes:
        return self._sha256.digest()

    def verify(self, header: str | None) -> bool:
        """As `verify_signature`."""
        signed = zip(self._secrets, self._signed, strict=True)
        return _matches(header, [(secret, mac.digest()) for secret, mac in signed])


def verify_signature(raw: bytes, header: str | None, secrets: Sequence[bytes]) -> bool:
    """Whether one of *secrets* signed *raw*. Tries them all, so that the time does not reveal which
    one; an empty secret never matches, because anyone can sign with it."""
    if not _readable(header):
        return False
    return _matches(header, [(secret, hmac.digest(secret, raw, "sha256")) for secret in secrets])


def _readable(header: str | None) -> bool:
    return header is not None and header.isascii() and header.lower().startswith(_PREFIX)


def _matches(header: str | None, expected: Sequence[tuple[bytes, bytes]]) -> bool:
    if header is None or not _readable(header):
        return False
    given = header[len(_PREFIX) :].strip().lower().encode("ascii")
    valid = False
    for secret, digest in expected:
        valid |= bool(secret) and hmac.compare_digest(digest.hex().encode("ascii"), given)
    return valid
