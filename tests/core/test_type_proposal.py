"""The proposal for the type map: by name, by wording, by direction, symmetric with symmetric."""

from typing import Any

from app.core.connection.type_proposal import proposal, sentences


def _type(name: str, outward: str, inward: str | None = None) -> dict[str, Any]:
    return {"id": "1", "name": name, "outward": outward, "inward": inward or outward}


BLOCKS = _type("Blocks", "blocks", "is blocked by")
RELATES = _type("Relates", "relates to")


def _said(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    pairs, alone = proposal(left, right)
    return list(sentences(pairs)), alone


def test_equal_names_are_one_type() -> None:
    assert _said([BLOCKS, RELATES], [RELATES, _type("BLOCKS", "blocks", "is blocked by")]) == (
        ["Blocks = BLOCKS", "Relates = Relates"],
        [],
    )


def test_equal_wordings_are_one_type() -> None:
    assert _said([BLOCKS], [_type("Stops", "Blocks", "is blocked by")])[0] == ["Blocks = Stops"]


def test_exchanged_wordings_are_one_type_reversed() -> None:
    other = _type("Dependency", "is blocked by", "blocks")
    assert _said([BLOCKS], [other])[0] == ["Blocks = Dependency reversed"]
    assert _said([BLOCKS], [other | {"name": "Blocks"}])[0] == ["Blocks = Blocks reversed"]


def test_symmetric_goes_with_symmetric_only() -> None:
    assert _said([RELATES], [_type("Relates", "relates to", "is related by")]) == ([], ["Relates"])


def test_each_type_is_used_once() -> None:
    twice = [BLOCKS, _type("Halts", "blocks", "is blocked by")]
    assert _said(twice, [BLOCKS]) == (["Blocks = Blocks"], ["Halts"])
