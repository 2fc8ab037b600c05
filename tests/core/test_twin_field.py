"""What a twin field's text names, row by row, and that it errs towards nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.twin_field import leads_to, twin_key

LONG = "A" * 255


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("B-7", "B-7"),
        ("  b-7\n", "B-7"),
        ("AB_2-70", "AB_2-70"),
        (f"{LONG}-1", f"{LONG}-1"),
        ("https://other.example/browse/B-7", "B-7"),
        ("http://other.example:8080/jira/browse/b-7/", "B-7"),
        ("https://other.example/browse/B-7?focusedId=1#comment", "B-7"),
        ("https://other.example/jira/software/projects/B/boards/1?selectedIssue=B-7", "B-7"),
        ("https://other.example/x?view=a&selectedIssue=B-7&y=1", "B-7"),
        ("https://other.example/browse/B-7?selectedIssue=B-7", "B-7"),
    ],
)
def test_key_is_found(text: str, key: str) -> None:
    assert twin_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "B-",
        "-7",
        "B7",
        "1B-7",
        "_B-7",
        f"{LONG}A-1",
        "B-" + "1" * 19,
        "see B-7",
        "B-7 B-8",
        "B-7, B-8",
        "\N{KELVIN SIGN}-7",
        "B-\N{ARABIC-INDIC DIGIT SEVEN}",
        "ftp://other.example/browse/B-7",
        "https://other.example/B-7",
        "https://other.example/notbrowse/B-7",
        "https://other.example/browse/B-7/attachments",
        "https://other.example/?selectedIssues=B-7",
        "https://other.example/?x=selectedIssue=B-7",
        "https://other.example/browse/B-7?selectedIssue=B-8",
        "https://user@other.example/browse/B-7",
        "https:///browse/B-7",
        "see https://other.example/browse/B-7",
        "https://other.example/browse/B%2D7",
    ],
)
def test_anything_else_names_nothing(text: str) -> None:
    assert twin_key(text) is None


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("B-7", True),
        ("https://right.example/browse/B-7", True),
        ("http://RIGHT.example/browse/B-7", True),
        ("https://people.example/jira/browse/B-7", True),
        ("https://people.example/browse/B-7", False),
        ("https://people.example/jira2/browse/B-7", False),
        ("https://elsewhere.example/browse/B-7", False),
        ("https://right.example.elsewhere.example/browse/B-7", False),
        ("https://right.example:8443/browse/B-7", False),
    ],
)
def test_an_address_has_to_lead_to_the_other_site(text: str, leads: bool) -> None:
    bases = ("https://right.example/", "https://people.example/jira")
    assert leads_to(text, bases) is leads


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    key = twin_key(text)
    assert key is None or (key.isascii() and key == key.upper())
    assert key is None or key in text.upper()


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}-[0-9]{1,9}", fullmatch=True), st.booleans())
def test_every_key_survives_its_address(key: str, slash: bool) -> None:
    address = f"https://other.example/browse/{key}{'/' if slash else ''}"
    assert twin_key(address) == twin_key(key) == key.upper()
