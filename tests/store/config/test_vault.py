"""Credentials at rest, each bound to its place."""

from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.errors import PermanentError
from app.store.config.vault import Vault, is_bound
from app.store.secret_homes import AUTH, COLUMNS, WEBHOOK, Home

FIRST, SECOND = "a" * 32, "any text, not base64, of length 32 or more"
HOME = Home("left", "https://jira.example", "cloud:1", None)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOMES = st.builds(Home, TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS)
PLACES = st.tuples(HOMES, st.sampled_from(COLUMNS))


def unbound(key: str, text: str) -> bytes:
    """As it was sealed before places were bound."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"twinlink site credentials")
    return Fernet(urlsafe_b64encode(derived.derive(key.encode()))).encrypt(text.encode())


@given(TEXTS, PLACES)
def test_what_is_sealed_opens_again_where_it_was_sealed(text: str, place: tuple[Home, str]) -> None:
    vault = Vault([FIRST])
    assert vault.open(vault.seal(text, *place), *place) == text


@given(PLACES, PLACES)
def test_it_opens_nowhere_else(one: tuple[Home, str], other: tuple[Home, str]) -> None:
    assume(one != other)
    vault = Vault([FIRST])
    with pytest.raises(PermanentError, match="secret_misplaced"):
        vault.open(vault.seal("secret", *one), *other)


@pytest.mark.parametrize(
    "other",
    [
        replace(HOME, site="right"),
        replace(HOME, base_url="https://jira.example/x"),
        replace(HOME, identity=None),
        replace(HOME, identity=""),
        replace(HOME, identity="cloud:2"),
        replace(HOME, authorities=""),
        replace(HOME, site='left", "auth_sealed', base_url="x"),
    ],
)
def test_every_part_of_a_place_counts(other: Home) -> None:
    vault = Vault([FIRST])
    with pytest.raises(PermanentError, match="secret_misplaced") as refused:
        vault.open(vault.seal("secret", HOME, AUTH), other, AUTH)
    assert refused.value.facts == {"site": other.site, "secret": "auth"}


def test_it_shows_neither_text_nor_that_two_are_the_same() -> None:
    vault = Vault([FIRST])
    sealed = vault.seal("pässwörd", HOME, AUTH)
    assert b"ssw" not in sealed
    assert vault.seal("pässwörd", HOME, AUTH)[12:] != sealed[12:]


def test_rotation_reads_with_the_former_key_and_seals_with_the_new_one() -> None:
    sealed = Vault([FIRST]).seal("secret", HOME, AUTH)
    rotated = Vault([SECOND, FIRST])
    assert rotated.open(sealed, HOME, AUTH) == "secret"
    assert not rotated.is_current(sealed)
    anew = rotated.seal("secret", HOME, AUTH)
    assert rotated.is_current(anew)
    assert Vault([SECOND]).open(anew, HOME, AUTH) == "secret"
    with pytest.raises(PermanentError, match="secret_key_wrong"):
        Vault([FIRST]).open(anew, HOME, AUTH)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, flip: int) -> None:
    vault = Vault([FIRST])
    sealed = bytearray(vault.seal("secret", HOME, AUTH))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(PermanentError, match=r"secret_misplaced|secret_key_wrong"):
        vault.open(bytes(sealed), HOME, AUTH)


@given(st.integers(0, 45))
def test_a_part_of_it_is_refused(length: int) -> None:
    vault = Vault([FIRST])
    part = vault.seal("secret", HOME, AUTH)[: length % 42]
    with pytest.raises(PermanentError, match=r"secret_misplaced|secret_key_wrong"):
        vault.open(part, HOME, AUTH)


def test_what_is_bound_to_no_place_is_read_only_to_bind_it() -> None:
    vault, sealed = Vault([SECOND, FIRST]), unbound(FIRST, "secret")
    assert not is_bound(sealed)
    with pytest.raises(PermanentError, match="secret_unbound"):
        vault.open(sealed, HOME, WEBHOOK)
    assert vault.open_unbound(sealed, HOME, WEBHOOK) == "secret"
    with pytest.raises(PermanentError, match="secret_key_wrong"):
        Vault([SECOND]).open(sealed, HOME, WEBHOOK)
    with pytest.raises(PermanentError, match="secret_key_wrong"):
        vault.open_unbound(vault.seal("secret", HOME, WEBHOOK), HOME, WEBHOOK)


def test_no_key_is_an_error_at_the_start() -> None:
    with pytest.raises(PermanentError, match="secret_key_missing"):
        Vault([])
