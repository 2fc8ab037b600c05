"""The proposal for the type map: by name, by wording, by direction, symmetric with symmetric."""

from typing import Any

from app.core.connection.type_proposal import proposal, sentences


def kind(name: str, outward: str, inward: str | None = None) -> dict[str, Any]:
    return {"id": "1", "name": name, "outward": outward, "inward": inward or outward}


BLOCKS = kind("Blocks", "blocks", "is blocked by")
RELATES = kind("Relates", "relates to")


def _said(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    pairs, alone = proposal(left, right)
    return list(sentences(pairs)), alone


def test_equal_names_are_onekind() -> None:
    assert _said([BLOCKS, RELATES], [RELATES, kind("BLOCKS", "blocks", "is blocked by")]) == (
        ["Blocks = BLOCKS", "Relates = Relates"],
        [],
    )


def test_equal_wordings_are_onekind() -> None:
    assert _said([BLOCKS], [kind("Stops", "Blocks", "is blocked by")])[0] == ["Blocks = Stops"]


def test_exchanged_wordings_are_one_type_reversed() -> None:
    other = kind("Dependency", "is blocked by", "blocks")
    assert _said([BLOCKS], [other])[0] == ["Blocks = Dependency reversed"]
    assert _said([BLOCKS], [other | {"name": "Blocks"}])[0] == ["Blocks = Blocks reversed"]


def test_symmetric_goes_with_symmetric_only() -> None:
    assert _said([RELATES], [kind("Relates", "relates to", "is related by")]) == ([], ["Relates"])


def test_each_type_is_used_once() -> None:
    twice = [BLOCKS, kind("Halts", "blocks", "is blocked by")]
    assert _said(twice, [BLOCKS]) == (["Blocks = Blocks"], ["Halts"])
