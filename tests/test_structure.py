"""The house keeps its size: folders, files and functions that a reader takes in at a glance.

What is larger has an entry in `EXCEPTIONS` with its reason; an entry that is no longer needed fails
as well, so that the list only grows on purpose.

The rows of the database driver stay in the store: what it hands to other rooms has types.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

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


def _rows_handed_on(name: str, source: str) -> Iterator[str]:
    """Where a module lets the driver's row out of the store: by an import outside of it, or as the
    result of a public function or the field of a value in it."""
    tree = ast.parse(source)
    known = {
        it.asname or it.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "app.store.pool"
        for it in node.names
        if it.name == "Row"
    }
    if known and not name.startswith("app/store/"):
        yield f"{name}: imports Row"

    def names(annotation: ast.expr | None) -> bool:
        found = ast.walk(annotation) if annotation is not None else ()
        return any(isinstance(it, ast.Name) and it.id in known for it in found)

    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=function) | ast.AsyncFunctionDef(name=function):
                if not function.startswith("_") and names(node.returns):
                    yield f"{name}: {function}"
            case ast.ClassDef(name=value, body=body):
                fields = [it for it in body if isinstance(it, ast.AnnAssign)]
                if any(names(it.annotation) for it in fields):
                    yield f"{name}: {value}"


def test_rows_of_the_driver_stay_in_the_store() -> None:
    found = [
        leak
        for path in _sources()
        for leak in _rows_handed_on(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert not found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app/api/schemas/plan.py", "from app.store.pool import Row"),
        ("app/sync/plan.py", "from app.store.pool import Connection, Row as Record"),
        ("app/store/plans.py", "from app.store.pool import Row\ndef page() -> list[Row]: ..."),
        (
            "app/store/plans.py",
            "from app.store.pool import Row as R\nasync def one() -> R | None: ...",
        ),
        ("app/store/plans.py", "from app.store.pool import Row\nclass Shown:\n    row: Row"),
    ],
)
def test_a_row_that_is_handed_on_is_found(name: str, source: str) -> None:
    assert list(_rows_handed_on(name, source))


@pytest.mark.parametrize(
    "source",
    [
        "from app.core.ledger import Row\ndef by_id() -> Row | None: ...",
        "from app.store.pool import Row\ndef _head() -> Row: ...",
        "from app.store.pool import Row\ndef value(row: Row) -> int: ...",
    ],
)
def test_a_row_that_stays_is_not(source: str) -> None:
    assert not list(_rows_handed_on("app/store/plans.py", source))
