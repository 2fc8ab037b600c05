"""The newest schema version, without importing Alembic."""

from functools import cache
from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"


@cache
def latest() -> str:
    """The revision that this code expects: files are numbered in the order of the chain."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py"))
