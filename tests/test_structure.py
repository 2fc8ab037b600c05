"""The house keeps its size: folders, files and functions that a reader takes in at a glance.

What is larger has an entry in `EXCEPTIONS` with its reason; an entry that is no longer needed fails
as well, so that the list only grows on purpose.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES, LINES, FUNCTION_LINES = 25, 350, 45

EXCEPTIONS: Mapping[str, str] = {
    "app/store/migrations/versions": "one file a change of the schema, in order; none ever leaves",
}


def _sources() -> Iterator[Path]:
    for top in ("app", "workers"):
        yield from sorted((ROOT / top).rglob("*.py"))


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Every function with its lines, decorators not counted; methods as `Class.method`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{node.name}"
            if not isinstance(node, ast.ClassDef):
                assert node.end_lineno is not None
                yield name, node.end_lineno - node.lineno + 1
            yield from _functions(node, f"{name}.")
        else:
            yield from _functions(node, prefix)


def _too_large() -> dict[str, str]:
    """What is past its bound, and by how much."""
    found = {}
    folders: Counter[Path] = Counter()
    for path in _sources():
        name = path.relative_to(ROOT).as_posix()
        folders[path.parent] += path.name != "__init__.py"
        text = path.read_text()
        if (lines := len(text.splitlines())) > LINES:
            found[name] = f"{lines} lines, at most {LINES}"
        for function, length in _functions(ast.parse(text)):
            if length > FUNCTION_LINES:
                found[f"{name}::{function}"] = f"{length} lines, at most {FUNCTION_LINES}"
    for folder, count in folders.items():
        if count > MODULES:
            name = folder.relative_to(ROOT).as_posix()
            found[name] = f"{count} modules, at most {MODULES}"
    return found


def test_folders_files_and_functions_keep_their_size() -> None:
    found = {name: size for name, size in _too_large().items() if name not in EXCEPTIONS}
    assert not found


def test_each_exception_is_still_needed() -> None:
    assert set(EXCEPTIONS) <= set(_too_large()), "take the entry out of EXCEPTIONS"
