"""Directories for servers that nobody will want again."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.embedded.process import is_running

_NAME = re.compile(r"twinlink-(\d+)-\w+")


@contextmanager
def throwaway_directory() -> Iterator[Path]:
    """A directory that is gone after the block. What a killed predecessor left goes as well."""
    _remove_orphans()
    path = Path(tempfile.mkdtemp(prefix=f"twinlink-{os.getpid()}-"))
    path.chmod(0o711)  # the server's account has to pass through
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_orphans() -> None:
    for path in Path(tempfile.gettempdir()).glob("twinlink-*"):
        match = _NAME.fullmatch(path.name)
        with suppress(OSError):
            if match and not is_running(int(match[1])) and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)
