"""Every command's output and help at 80 and 120 columns, in a terminal and out of one.

In a terminal no line is wider than it, no identifier is folded and no option's name is cut. Out of
it each row is one line, without a colour, and times are whole.
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.main import COMMANDS as NAMES
from app.cli.main import load
from tests.cli.output.rendering import MARK
from tests.cli.output.samples import DIGEST, LONG_NAME, TIME
from tests.cli.processes import ROOT

pytestmark = pytest.mark.slow

COMMANDS = [
    ["status"], ["explain", "payments-104729"], ["links", "main"], ["deliveries"], ["failures"],
    ["site", "list"], ["site", "show", "left"], ["site", "check", "left"],
    ["site", "projects", "left"], ["site", "types", "left"],
    ["connection", "list"], ["connection", "show", "main"], ["connection", "revisions", "main"],
    ["connection", "delete", "main", "--yes"], ["mode", "main"], ["guard", "show", "main"],
    ["guard", "reset", "main", "--yes"], ["pause", "main"], ["resume", "main"],
    ["twins", "list", "main"], ["plan", "list"], ["plan", "show", "3"],
    ["plan", "approve", "3", "--digest", DIGEST, "--no-wait"],
    ["plan", "reject", "3", "--digest", DIGEST], ["resyncs", "list"], ["resyncs", "show", "7"],
    ["restores", "list"], ["restores", "show", "7"], ["incident", "list"],
    ["incident", "show", "1"], ["audit", "list", "--since", "2h"], ["token", "list"],
    ["rollback", "main", "--to", "1"],
]  # fmt: skip


def _every_help() -> Iterator[list[str]]:
    yield ["--help"]
    for name in NAMES:
        yield [name, "-h"]
        yield from ([name, sub, "--help"] for sub in getattr(load(name), "commands", ()))


HELPS = list(_every_help())


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "TWINLINK_API_TOKEN": "t" * 20,
        "TWINLINK_DATA_DIR": str(home),
        "TZ": "Europe/Berlin",
        "LC_ALL": "C.UTF-8",
    }


def _command(home: Path, lines: list[list[str]]) -> list[str]:
    (home / "lines.json").write_text(json.dumps(lines))
    return [sys.executable, "-m", "tests.cli.output.rendering", str(home / "lines.json")]


def _in_terminal(home: Path, lines: list[list[str]], width: int, **more: str) -> str:
    """What a terminal of that width is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        _command(home, lines), cwd=ROOT, env=_environment(home) | more, stdin=theirs,
        stdout=theirs, stderr=theirs, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        told += part
    os.close(ours)
    assert process.wait(60) == 0, told.decode(errors="replace")[-2000:]
    return told.decode().replace("\r\n", "\n")


def _each(told: str) -> dict[str, list[str]]:
    """The lines of each command, without styles."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told)
    found: dict[str, list[str]] = {}
    for part in plain.split(f"{MARK}[")[1:]:
        head, _, rest = part.partition("\n")
        body, _, end = rest.partition(f"{MARK}exit ")
        assert end.strip() in {"0", "1", "3"}, f"{head}: {body}"
        found[f"[{head}"] = body.splitlines()
    return found


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_wider_than_the_terminal_or_folded(tmp_path: Path, width: int) -> None:
    told = _each(_in_terminal(tmp_path, COMMANDS, width))
    assert len(told) == len(COMMANDS)
    for command, lines in told.items():
        # A command to copy stays whole.
        long = [line for line in lines if len(line) > width and not line.startswith("  twinlink")]
        assert not long, f"{command}: {long[0]}"
    said = "\n".join(line for lines in told.values() for line in lines)
    for whole in (DIGEST, LONG_NAME, "PAYMENTS-104729", "5b10ac8d82e05b22cc7d4ef5"):
        assert whole in said
    for piece in (DIGEST[:40], LONG_NAME[:20]):
        cut = re.findall(rf"{piece}\S*", said)
        assert all(it.startswith((DIGEST, LONG_NAME)) for it in cut), cut


@pytest.mark.parametrize("width", [80, 120])
def test_every_help_is_whole(tmp_path: Path, width: int) -> None:
    told = _each(_in_terminal(tmp_path, HELPS, width))
    assert len(told) == len(HELPS)
    for command, lines in told.items():
        assert all(len(line) <= width for line in lines), command
        assert not [line for line in lines if re.search(r"--\S*(…|\.\.\.)", line)], command
        sentences = [line for line in lines if not line.startswith("Usage:")]
        assert not [line for line in sentences if line.endswith("...")], (
            f"{command} cuts a sentence"
        )
    said = "\n".join(told['["site", "put", "--help"]'])
    for option in ("--webhook-secret-file", "--token-file", "--rate"):
        assert option in said


def test_a_terminal_shows_short_times_and_no_empty_columns(tmp_path: Path) -> None:
    told = _each(_in_terminal(tmp_path, [["status"], ["incident", "list"]], 300))
    said = "\n".join(told['["incident", "list"]'])
    assert TIME not in said
    assert "2026-11-28 07:38" in said or "07:38:37" in said
    assert "DISMISSED" not in "\n".join(told['["status"]'])


def test_no_color_has_no_color(tmp_path: Path) -> None:
    told = _in_terminal(tmp_path, COMMANDS, 80, NO_COLOR="1")
    assert not re.findall(r"\x1b\[(?:[0-9]+;)*(?:3[0-9]|4[0-9]|9[0-9])[;m]", told)


def test_out_of_a_terminal_a_row_is_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(tmp_path, COMMANDS), cwd=ROOT, env=_environment(tmp_path), check=True,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "\x1b" not in done.stdout
    told = _each(done.stdout)
    head, *rows = told['["incident", "list"]']
    assert len(rows) == 2
    assert head.split()[:2] == ["ID", "IMPACT"]
    assert all(TIME in row for row in rows)
