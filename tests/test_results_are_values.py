"""What happened is a value, not a word: no result or reason is matched by its text where links
are looked at and written.

The test reads the syntax tree of `app/sync` and `workers` and fails for a method that takes a text
apart and for `in` on words. What takes apart another text than a result or a reason has an entry
in `OTHER_TEXTS`; an entry that is no longer needed fails as well.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METHODS = frozenset(
    {
        "startswith", "endswith", "partition", "rpartition", "split", "rsplit", "removeprefix",
        "removesuffix", "find", "index",
    }
)  # fmt: skip
OTHER_TEXTS: Mapping[str, str] = {
    "app/sync/connections/admin.py: p.pointer.startswith('/link_')": "a JSON pointer",
    "app/sync/incidents/timeline.py: 'correlated' in facts": "a field of an incident's facts",
    "app/sync/incidents/timeline.py: 'correlated' in detail": "a field of an incident's facts",
    "app/sync/ingest/inbox.py: parsed.kind.startswith('issue_')": "the kind of Jira's event",
    "app/sync/ingest/inbox.py: ' ' not in word": "the name of a field of Jira",
    "app/sync/discovery/discover.py: it.cause in BULK_CAUSES": "what asked for a look",
}


def _words(node: ast.expr, constants: frozenset[str]) -> bool:
    """A text, or a collection of texts: written here, or as a constant of this module."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return any(_words(it, constants) for it in elts)
        case ast.Call(func=ast.Name(id="frozenset" | "set" | "tuple"), args=args):
            return any(_words(it, constants) for it in args)
        case ast.BinOp(left=left, right=right):
            return _words(left, constants) or _words(right, constants)
        case ast.Name(id=name):
            return name in constants
    return False


def _constants(tree: ast.Module) -> frozenset[str]:
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and _words(node.value, frozenset(found)):
            found |= {it.id for it in node.targets if isinstance(it, ast.Name)}
    return frozenset(found)


def matched(source: str) -> Iterator[str]:
    """The expressions of a module that match a text."""
    tree = ast.parse(source)
    constants = _constants(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in METHODS:
                yield ast.unparse(node)
            case ast.Compare(left=left, ops=ops, comparators=others):
                operands = [left, *others]
                contains = any(isinstance(it, ast.In | ast.NotIn) for it in ops)
                if contains and any(_words(it, constants) for it in operands):
                    yield ast.unparse(node)


def _found() -> dict[str, str]:
    """Where texts are matched."""
    return {
        f"{path.relative_to(ROOT).as_posix()}: {expression}": expression
        for top in ("app/sync", "workers")
        for path in sorted((ROOT / top).rglob("*.py"))
        for expression in matched(path.read_text())
    }


def test_no_result_is_matched_by_its_text() -> None:
    assert not _found().keys() - OTHER_TEXTS.keys()


def test_each_entry_is_still_needed() -> None:
    assert not OTHER_TEXTS.keys() - _found().keys(), "take the entry out of OTHER_TEXTS"


@pytest.mark.parametrize(
    "line",
    [
        "word.startswith('retry:')",
        "kind, _, code = word.partition(':')",
        "it.waiting.removeprefix('site:')",
        "over = word in {'kept', 'moved'}",
        "over = 'retry' not in word",
        "_OVER = frozenset({'kept', 'moved'})\nover = word in _OVER",
    ],
)
def test_a_planted_match_is_found(line: str) -> None:
    assert list(matched(line))


@pytest.mark.parametrize("line", ["isinstance(it, Retry)", "mode in (Mode.REVIEW, Mode.LIVE)"])
def test_values_are_matched_freely(line: str) -> None:
    assert not list(matched(line))
