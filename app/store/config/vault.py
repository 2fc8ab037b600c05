"""Credentials at rest: encrypted with the first key, readable with any key of the list."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import PermanentError

# Keeps these keys apart from anything else that may one day be derived from the same secret.
_PURPOSE = b"twinlink site credentials"


class Vault:
    """Seals with `keys[0]`. To rotate: put the new key first, keep the former one behind it
    until `twinlink secrets rotate` has sealed everything anew."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise PermanentError("secret_key_missing", "TWINLINK_SECRET_KEY is not set")
        found = [Fernet(_derived(key)) for key in keys]
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


def _derived(key: str) -> bytes:
    # Settings take any text of 32 characters or more; Fernet wants 32 bytes in base64.
    derived = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.encode("utf-8"))
    return urlsafe_b64encode(derived)
