"""Encryption of stored credentials: with the first key; any key of the list decrypts."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import PermanentError

# Separate the keys of one use from those of another, derived from the same secret.
_PURPOSE = b"twinlink site credentials"
_SIGNATURES = b"twinlink signatures"


class Vault:
    """Seals with `keys[0]`. To rotate: put the new key first, keep the former one behind it
    until `twinlink secrets rotate` has sealed everything with the new one."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise PermanentError("secret_key_missing", "TWINLINK_SECRET_KEY is not set")
        found = [Fernet(urlsafe_b64encode(_derived(key, _PURPOSE))) for key in keys]
        self._signing = [_derived(key, _SIGNATURES) for key in keys]
        self._newest, self._fernet = found[0], MultiFernet(found)

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode("utf-8"))

    def open(self, sealed: bytes) -> str:
        """Raises `PermanentError(secret_key_wrong)` if no key decrypts it."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8")
        except InvalidToken as error:
            raise PermanentError("secret_key_wrong", "sealed with another key") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key decrypts it, so that the others are not needed."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def sign(self, text: bytes) -> str:
        """A signature that later proves that this installation made *text*."""
        return _signature(self._signing[0], text)

    def has_signed(self, text: bytes, signature: str) -> bool:
        """Whether any key of the list made the signature: it stays valid over a rotation."""
        given = signature.encode("utf-8", "surrogatepass")
        known = [_signature(key, text).encode("ascii") for key in self._signing]
        return any(hmac.compare_digest(given, it) for it in known)


def _signature(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()[:32]


def _derived(key: str, purpose: bytes) -> bytes:
    # The setting is any text of 32 characters or more; each use needs 32 bytes.
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key.encode("utf-8"))
