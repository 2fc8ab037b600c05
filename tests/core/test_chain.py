"""The hash chain: one text for one value, and every way to tamper with it is found."""

import copy
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chain import GENESIS, Break, canonical, digest, instant, link, verify


def chain(length: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    previous = GENESIS
    for seq in range(1, length + 1):
        row: dict[str, Any] = {
            "id": str(seq * 7),
            "seq": seq,
            "operation": "remove",
            "link_id": str(500 + seq),
            "evidence": {"lookup": "404"},
        }
        following = link(previous, row)
        rows.append({**row, "prev_hash": previous.hex(), "hash": following.hex()})
        previous = following
    return rows


def broken(rows: list[dict[str, Any]], head: int = 4) -> Break | None:
    return verify("1", rows, head, chain(head)[-1]["hash"])


def test_a_whole_chain_holds() -> None:
    assert broken(chain(4)) is None
    assert verify("1", [], 0, GENESIS.hex()) is None


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize(
    ("field", "value"), [("link_id", "1"), ("evidence", {}), ("operation", "create")]
)
def test_a_changed_field_is_found_where_it_is(at: int, field: str, value: Any) -> None:
    rows = chain(4)
    rows[at][field] = value
    assert broken(rows) == Break("1", at + 1, "hash")


def test_an_added_or_dropped_field_is_found() -> None:
    rows = chain(4)
    rows[2]["note"] = "x"
    assert broken(rows) == Break("1", 3, "hash")
    del rows[2]["note"], rows[2]["evidence"]
    assert broken(rows) == Break("1", 3, "hash")


def test_a_row_forged_with_its_own_hash_breaks_the_next() -> None:
    rows = chain(4)
    rows[1]["link_id"] = "1"
    rows[1]["hash"] = link(bytes.fromhex(rows[1]["prev_hash"]), rows[1]).hex()
    assert broken(rows) == Break("1", 3, "prev_hash")


def test_a_chain_rewritten_to_its_end_meets_another_head() -> None:
    rows = chain(4)
    rows[3]["link_id"] = "1"
    rows[3]["hash"] = link(bytes.fromhex(rows[3]["prev_hash"]), rows[3]).hex()
    assert broken(rows) == Break("1", 4, "hash")


@pytest.mark.parametrize("at", range(3))
def test_a_missing_row_is_a_gap(at: int) -> None:
    rows = chain(4)
    del rows[at]
    assert broken(rows) == Break("1", at + 1, "gap")


def test_a_repeated_or_exchanged_row_is_a_gap() -> None:
    rows = chain(4)
    assert broken([rows[0], *rows]) == Break("1", 2, "gap")
    assert broken([rows[0], rows[2], rows[1], rows[3]]) == Break("1", 2, "gap")


def test_cut_off_and_beyond_the_head() -> None:
    assert broken(chain(3)) == Break("1", 4, "cut_off")
    assert broken([]) == Break("1", 1, "cut_off")
    assert broken(chain(5)) == Break("1", 5, "beyond_head")


def test_ids_of_the_table_are_not_hashed() -> None:
    """A restored dump may number its rows anew."""
    rows = [{**row, "id": "0"} for row in chain(4)]
    assert broken(rows) is None


def test_canonical_is_one_text() -> None:
    assert canonical({"b": [1, None, True], "a": "\u00e4\u2028"}) == (
        '{"a":"\u00e4\u2028","b":[1,null,true]}'.encode()
    )
    assert digest({}) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("value", [1.0, {"a": [1, {"b": 0.5}]}, [float("nan")], (1.5,)])
def test_floats_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_an_instant_has_one_text() -> None:
    at = datetime(2025, 8, 29, 17, 56, tzinfo=timezone(timedelta(hours=2)))
    assert instant(at) == "2025-08-29T15:56:00.000000Z"
    assert instant(at.astimezone(UTC)) == instant(at)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_different_values_have_different_texts(one: Any, other: Any) -> None:
    if not _surrogates(one, other):
        assert (canonical(one) == canonical(other)) == _same(one, other)


@given(st.integers(0, 3), st.sampled_from(["operation", "link_id"]), st.text(max_size=4))
def test_no_change_of_a_field_goes_unseen(at: int, field: str, value: str) -> None:
    rows = copy.deepcopy(chain(4))
    if rows[at][field] != value:
        rows[at][field] = value
        assert broken(rows) == Break("1", at + 1, "hash")


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: unlike in Python, `True` is not 1."""
    return bool(repr_json(one) == repr_json(other))


def repr_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: repr_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [repr_json(inner) for inner in value]
    return (type(value).__name__, value)


def _surrogates(*values: Any) -> bool:
    return any("\\ud" in ascii(value) for value in values)
