"""Credentials at rest."""

import pytest

from app.core.errors import PermanentError
from app.store.config.vault import Vault

FIRST, SECOND = "a" * 32, "any text, not base64, of length 32 or more"


def test_what_is_sealed_opens_again() -> None:
    vault = Vault([FIRST])
    sealed = vault.seal("pässwörd")
    assert b"ssw" not in sealed
    assert vault.open(sealed) == "pässwörd"
    assert vault.seal("pässwörd") != sealed


def test_rotation_reads_with_the_former_key_and_seals_with_the_new_one() -> None:
    sealed = Vault([FIRST]).seal("secret")
    rotated = Vault([SECOND, FIRST])
    assert rotated.open(sealed) == "secret"
    anew = rotated.seal("secret")
    assert Vault([SECOND]).open(anew) == "secret"
    with pytest.raises(PermanentError, match="secret_key_wrong"):
        Vault([FIRST]).open(anew)


def test_a_changed_byte_is_noticed() -> None:
    vault = Vault([FIRST])
    sealed = bytearray(vault.seal("secret"))
    sealed[20] ^= 1
    with pytest.raises(PermanentError, match="secret_key_wrong"):
        vault.open(bytes(sealed))


def test_no_key_is_an_error_at_the_start() -> None:
    with pytest.raises(PermanentError, match="secret_key_missing"):
        Vault([])
