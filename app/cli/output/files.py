"""Files that commands read and write. Secrets come from files, which no process list shows."""

import json
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from app.cli.output.errors import UsageError

STDIN = "-"


@contextmanager
def reading(source: str) -> Iterator[TextIO]:
    """Open a text file with its line breaks as they are; `-` is standard input."""
    if source == STDIN:
        yield sys.stdin
        return
    with _opened(source, "r", "utf-8-sig") as file:
        yield file


@contextmanager
def writing(target: str) -> Iterator[TextIO]:
    """Open a text file for writing; `-` is standard output."""
    if target == STDIN:
        yield sys.stdout
        return
    with _opened(target, "w", "utf-8") as file:
        yield file


def text_of(source: str) -> str:
    """The text of a file; `-` is standard input."""
    try:
        with reading(source) as file:
            return file.read()
    except UnicodeDecodeError:
        raise UsageError(f"{source} is not UTF-8 text") from None


def object_of(source: str) -> dict[str, Any]:
    """The JSON object in a file, or the TOML document if its name ends in `.toml`."""
    text = text_of(source)
    try:
        found = tomllib.loads(text) if source.endswith(".toml") else json.loads(text)
    except ValueError as error:
        raise UsageError(f"{source} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{source} does not contain an object")
    return found


def secret_of(source: str | None) -> str | None:
    """The file's text without the line break that editors add."""
    if source is None:
        return None
    secret = text_of(source).rstrip("\r\n")
    if not secret:
        raise UsageError(f"{source} is empty")
    return secret


def _opened(path: str, mode: Literal["r", "w"], encoding: str) -> TextIO:
    try:
        return Path(path).open(mode, encoding=encoding, newline="")
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror}") from None
