"""Whatever others wrote: what we print of it steers nothing."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.operations import Operation
from app.core.plan import Plan, PlanChange, PlanKind, as_markdown, as_text
from app.core.rendering.foreign_text import in_csv, in_markdown, plain

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "a\r\nb\u2028c",
    "\u202eskcolB",
    "[here](https://evil.example) ![](https://evil.example/i.png)",
    "<img src=x onerror=alert(1)> &lt;b&gt;",
    "**bold** _em_ ~~gone~~ `code` | # @admin",
    "https://evil.example",
    "=HYPERLINK(A1)",
)
TEXT = st.text() | st.sampled_from(HOSTILE)


def plan(text: str) -> Plan:
    change = PlanChange(
        site="left", operation=Operation.REMOVE, type_id="1", source_id="2", destination_id="3",
        type=text, source_key=text, destination_key=text, reason=text,
    )  # fmt: skip
    return Plan("1", "ab", PlanKind.REMOVALS, 1, (change,))


@given(TEXT)
def test_a_plan_is_lines_of_printable_text(text: str) -> None:
    for rendered, lines in ((as_text(plan(text)), 3), (as_markdown(plan(text)), 7)):
        assert rendered.count("\n") == lines
        assert rendered.replace("\n", "").isprintable()


@given(TEXT)
def test_markdown_has_no_markup_of_others(text: str) -> None:
    shown = in_markdown(text)
    at = 0
    while at < len(shown):
        assert shown[at] not in "`*_[]<>#!|~@:&$"
        at += 2 if shown[at] == "\\" else 1
    assert in_markdown("AB-12") == "AB-12"


@given(st.sampled_from("=+-@\t\r ") | st.just(""), TEXT)
def test_a_cell_is_no_formula(first: str, text: str) -> None:
    shown = in_csv(first + text)
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))
    to = io.StringIO()
    csv.writer(to, lineterminator="\n").writerow((shown, "B-1"))
    assert next(csv.reader(io.StringIO(to.getvalue()))) == [shown, "B-1"]


@pytest.mark.parametrize("text", ["Blocks", "is blocked by", "Größe", "A-1", "関連"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == in_markdown(text) == in_csv(text) == text
