"""Encryption of stored credentials: with the first key; any key of the list decrypts.

A ciphertext opens only where it was sealed for (`app.store.secret_homes`): AES-256-GCM with
that place as associated data. What was sealed before places were bound (Fernet) is read by one use
case alone, which binds it once: `app.sync.sites.binding`.
"""

import hmac
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import PermanentError
from app.store.secret_homes import Home, secret_of

# Separate the keys of one use from those of another, derived from the same secret.
_BOUND = b"twinlink bound site credentials"
_TAGS = b"twinlink key tag"
_UNBOUND = b"twinlink site credentials"
_SIGNATURES = b"twinlink signatures"

# version | tag of the key | nonce | ciphertext and its tag
_VERSION: Final = b"tw1."
_TAG, _NONCE = 8, 12
_HEAD = len(_VERSION) + _TAG

# With the address, which may be somebody else's by now: who stores the secrets has to name it.
_REMEDY = (
    "store its address and secrets again: twinlink site put {} --base-url URL --token-file FILE"
)


class Vault:
    """Seals with `keys[0]`. To rotate: put the new key first, keep the former one behind it
    until `twinlink secrets rotate` has sealed everything with the new one."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise PermanentError("secret_key_missing", "TWINLINK_SECRET_KEY is not set")
        self._bound = {_derived(key, _TAGS, _TAG): AESGCM(_derived(key, _BOUND)) for key in keys}
        self._newest = next(iter(self._bound))
        self._unbound = {
            _derived(key, _TAGS, _TAG): Fernet(urlsafe_b64encode(_derived(key, _UNBOUND)))
            for key in keys
        }
        self._signing = [_derived(key, _SIGNATURES) for key in keys]

    def seal(self, text: str, home: Home, column: str) -> bytes:
        return self._sealed(self._newest, text, home, column)

    def bound(self, sealed: bytes, home: Home, column: str) -> bytes:
        """What `open_unbound` opens, sealed for its place under the key that it had: a process that
        has that key and not the newest one yet goes on reading it. Raises as `open_unbound`."""
        tag, text = self._opened_unbound(sealed, home, column)
        return self._sealed(tag, text, home, column)

    def _sealed(self, tag: bytes, text: str, home: Home, column: str) -> bytes:
        head, nonce = _VERSION + tag, os.urandom(_NONCE)
        place = head + home.column(column)
        return head + nonce + self._bound[tag].encrypt(nonce, text.encode("utf-8"), place)

    def open(self, sealed: bytes, home: Home, column: str) -> str:
        """Raises `PermanentError`: `secret_misplaced` if it was sealed for another place,
        `secret_unbound` if for none, `secret_key_wrong` if no key decrypts it."""
        if not sealed.startswith(_VERSION):
            self.open_unbound(sealed, home, column)
            raise _refused("secret_unbound", "is not bound to its place", home, column)
        key = self._bound.get(sealed[len(_VERSION) : _HEAD])
        if key is None:
            raise _key_wrong(home, column)
        nonce, rest = sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        try:
            return key.decrypt(nonce, rest, sealed[:_HEAD] + home.column(column)).decode("utf-8")
        except (InvalidTag, ValueError):
            what = "was sealed for another site, address, identity, authority or use"
            raise _refused("secret_misplaced", what, home, column) from None

    def open_unbound(self, sealed: bytes, home: Home, column: str) -> str:
        """What was sealed before places were bound: it may have been moved, and nothing shows it.
        Raises `PermanentError(secret_key_wrong)` if no key decrypts it."""
        return self._opened_unbound(sealed, home, column)[1]

    def _opened_unbound(self, sealed: bytes, home: Home, column: str) -> tuple[bytes, str]:
        """With the tag of the key that opens it."""
        for tag, key in self._unbound.items():
            with suppress(InvalidToken):
                return tag, key.decrypt(sealed).decode("utf-8")
        raise _key_wrong(home, column)

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it, so that the others are not needed."""
        return sealed.startswith(_VERSION + self._newest)

    def sign(self, text: bytes) -> str:
        """A signature that later proves that this installation made *text*."""
        return _signature(self._signing[0], text)

    def has_signed(self, text: bytes, signature: str) -> bool:
        """Whether any key of the list made the signature: it stays valid over a rotation."""
        given = signature.encode("utf-8", "surrogatepass")
        known = [_signature(key, text).encode("ascii") for key in self._signing]
        return any(hmac.compare_digest(given, it) for it in known)


def is_bound(sealed: bytes) -> bool:
    """Whether it was sealed for a place, this one or another."""
    return sealed.startswith(_VERSION)


def _key_wrong(home: Home, column: str) -> PermanentError:
    facts: dict[str, str | int | float | None] = {"site": home.site, "secret": secret_of(column)}
    return PermanentError("secret_key_wrong", "sealed with another key", facts)


def _refused(code: str, what: str, home: Home, column: str) -> PermanentError:
    secret = secret_of(column)
    remedy = f"{_REMEDY.format(home.site)} --webhook-secret-file FILE"
    detail = f"{secret} of {home.site} {what}; {remedy}"
    return PermanentError(code, detail, {"site": home.site, "secret": secret})


def _signature(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()[:32]


def _derived(key: str, purpose: bytes, length: int = 32) -> bytes:
    # The setting is any text of 32 characters or more; each use needs bytes of its own.
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(key.encode("utf-8"))
