"""Recorded inputs are read back as they were, and lead to the same decision."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import Decision
from app.core.evidence import Absent, Unlisted
from app.core.ledger import LinkKey, State
from app.core.links import IssueId, TypeId
from app.core.recorded import outcome
from app.core.recorded.inputs import VERSION, Inputs, Unreadable, decode, encode
from app.core.recorded.sample import Sample, shape
from tests.core.test_diff_properties import DIRECTIONS, OBSERVED, POLICIES, ROWS, presences

WORDS = st.text(max_size=20)
ABSENCES = st.builds(Absent, st.dictionaries(WORDS, WORDS, max_size=3))
KEYS = st.builds(LinkKey, WORDS.map(TypeId), st.integers(1), st.integers(1))
ANY_ROW = st.builds(
    replace,
    ROWS,
    id=st.integers(1),
    key=KEYS,
    right_type=WORDS.map(TypeId),
    former=st.none() | st.sampled_from(State),
    authored_after=st.none() | st.datetimes(timezones=st.timezones()),
    version=st.integers(1),
    right_source=st.none() | WORDS.map(IssueId),
)
MADE = st.builds(lambda it: replace(it, made=it.foreign, foreign=frozenset()), presences())
SEEN = OBSERVED | ABSENCES | MADE
INPUTS = st.builds(Inputs, st.none() | ANY_ROW, SEEN, SEEN, DIRECTIONS, POLICIES)


@given(INPUTS)
def test_what_was_written_is_read_back(inputs: Inputs) -> None:
    assert decode(VERSION, encode(inputs)) == inputs.bare()
    assert decode(VERSION, encode(inputs.bare())) == inputs.bare()


@given(INPUTS)
def test_it_leads_to_the_same_decision(inputs: Inputs) -> None:
    read = decode(VERSION, encode(inputs))
    assert isinstance(read, Inputs)
    assert read.decision() == inputs.decision()
    assert outcome.text(read.decision()) == outcome.text(inputs.decision())


@given(INPUTS, INPUTS)
def test_two_decisions_have_one_text_only_if_they_are_one(one: Inputs, other: Inputs) -> None:
    same = one.decision() == other.decision()
    assert (outcome.text(one.decision()) == outcome.text(other.decision())) is same


@given(INPUTS, st.integers(2, 50), WORDS)
def test_another_version_is_said_to_be_one(inputs: Inputs, version: int, text: str) -> None:
    assert decode(version, encode(inputs)) == Unreadable(version)
    assert decode(VERSION, text) == Unreadable(VERSION)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[]",
        "[" * 100_000,
        '{"row":null}',
        encode(
            Inputs(None, Unlisted(), Unlisted(), Direction.BOTH, OnMirrorRemoved.DETACH)
        ).replace("unlisted", "unheard"),
    ],
)
def test_what_is_no_record_is_no_error(text: str) -> None:
    assert decode(VERSION, text) == Unreadable(VERSION)


@given(INPUTS)
def test_values_of_the_evidence_are_not_written(inputs: Inputs) -> None:
    seen = Absent({"delivery": "a value of it"})
    assert "a value of it" not in encode(replace(inputs, left=seen))


@given(INPUTS, st.integers(1))
def test_links_of_one_case_have_one_shape(inputs: Inputs, number: int) -> None:
    if inputs.row is None:
        return
    other = replace(inputs, row=replace(inputs.row, id=number, version=number))
    assert shape(other, other.decision()) == shape(inputs, inputs.decision())


@given(KEYS, st.integers(1))
def test_a_sample_takes_the_same_links_each_time(key: LinkKey, connection: int) -> None:
    assert Sample(1).holds(connection, key)
    assert not Sample(0).holds(connection, key)
    assert Sample(7).holds(connection, key) is Sample(7).holds(connection, key)


def test_a_sample_of_one_in_a_hundred_is_about_that() -> None:
    keys = [LinkKey(TypeId("10001"), source, source + 1) for source in range(20_000)]
    assert 140 < sum(Sample(100).holds(1, key) for key in keys) < 260


def test_every_decision_has_a_word() -> None:
    assert len(outcome.WORDS) == len(get_args(Decision))
