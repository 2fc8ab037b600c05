"""Credentials at rest: encrypted with the first key, readable with any key of the list."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import PermanentError

# Keep the keys of one use apart from those of another that are derived from the same secret.
_PURPOSE = b"twinlink site credentials"
_SIGNATURES = b"twinlink signatures"


class Vault:
    """Seals with `keys[0]`. To rotate: put the new key first, keep the former one behind it
    until `twinlink secrets rotate` has sealed everything anew."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise PermanentError("secret_key_missing", "TWINLINK_SECRET_KEY is not set")
        found = [Fernet(urlsafe_b64encode(_derived(key, _PURPOSE))) for key in keys]
        self._signing = [_derived(key, _SIGNATURES) for key in keys]
        self._newest, self._fernet = found[0], MultiFernet(found)

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode("utf-8"))

    def open(self, sealed: bytes) -> str:
        """Raises `PermanentError(secret_key_wrong)` where none of the keys fits."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8")
        except InvalidToken as error:
            raise PermanentError("secret_key_wrong", "sealed with another key") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key alone opens it: then the others may go."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def sign(self, text: bytes) -> str:
        """Shows later that this installation said *text*."""
        return _signature(self._signing[0], text)

    def has_signed(self, text: bytes, signature: str) -> bool:
        """With any key of the list: a rotation does not end what goes on."""
        given = signature.encode("utf-8", "surrogatepass")
        known = [_signature(key, text).encode("ascii") for key in self._signing]
        return any(hmac.compare_digest(given, it) for it in known)


def _signature(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()[:32]


def _derived(key: str, purpose: bytes) -> bytes:
    # Settings take any text of 32 characters or more; 32 bytes are what each use wants.
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key.encode("utf-8"))
