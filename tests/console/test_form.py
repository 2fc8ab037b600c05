"""A form with a file in it, as a browser sends it, and as nobody should."""

import random
import time

import pytest

from app.console.form import MOST_FIELDS, _with_files

KIND = "multipart/form-data; boundary=x"
SOUND = (
    b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nabc\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="zw\xc3\xb6lf.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\n\xef\xbb\xbfA-1,B-1\r\n\xff,x\r\n\r\n--x--\r\n"
)


def test_fields_and_files() -> None:
    found = _with_files(KIND, SOUND)
    assert found == {"csrf": "abc", "file": "A-1,B-1\r\n\N{REPLACEMENT CHARACTER},x\r\n"}
    assert _with_files('multipart/form-data; boundary="x"', SOUND) == found


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "x"])
def test_without_a_boundary_there_is_nothing(kind: str) -> None:
    assert _with_files(kind, SOUND) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"".join(
            b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
            for n in range(15_000)
        ),
        b"--x\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 18_000,
        b"--x" * 300_000,
        b"--x\r\nContent-Disposition: " + b";" * 900_000,
    ],
)
def test_what_no_browser_sends_costs_little(body: bytes) -> None:
    """Parts that nest, heads that do not end, parts without number: of a mebibyte, the most that
    is taken."""
    began = time.process_time()
    for kind in (KIND, "multipart/form-data; boundary=b0"):
        assert len(_with_files(kind, body)) <= MOST_FIELDS
    assert time.process_time() - began < 1.0


def test_no_damage_breaks_it() -> None:
    dice = random.Random(1)
    for _ in range(2000):
        body = bytearray(SOUND)
        for _ in range(dice.randrange(1, 12)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        _with_files(KIND, bytes(body))
