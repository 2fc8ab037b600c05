"""Directories for servers whose data is not kept."""

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
def throwaway_directory(parent: Path | None = None) -> Iterator[Path]:
    """A directory that is deleted after the block, with those that killed processes have left.

    `parent` is the directory for temporary files by default.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_orphans(parent)
    path = Path(tempfile.mkdtemp(prefix=f"twinlink-{os.getpid()}-", dir=parent))
    path.chmod(0o711)  # the server's account has to pass through
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_orphans(parent: Path) -> None:
    for path in parent.glob("twinlink-*"):
        match = _NAME.fullmatch(path.name)
        with suppress(OSError):
            if match and not is_running(int(match[1])) and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)
