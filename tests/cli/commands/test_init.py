"""A newcomer goes from `up` to a connection in shadow by `twinlink init`, in a real terminal.

Prints how many answers and seconds it took. Mistakes on the way are made on purpose, and named by
what is on the screen.
"""

import asyncio
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from app.sandbox import token_of
from app.sandbox.people import person_on
from tests.cli.commands.test_live import Bench, bench
from tests.cli.processes import ROOT

__all__ = ["bench"]
pytestmark = pytest.mark.slow
SECONDS = 30.0


class Terminal:
    """A program in a terminal of 80 columns, and a person who waits for what it asks."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        env = {
            "PATH": os.environ["PATH"],
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "TWINLINK_DATA_DIR": str(directory),
            "TWINLINK_ALLOW_PRIVATE_SITES": "1",
        }
        # setsid, and the terminal as the controlling one: hidden answers are read from /dev/tty.
        become = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        start = "os.execv(sys.executable, [sys.executable, '-m', 'app.cli.main', *sys.argv[1:]])"
        self._process = subprocess.Popen(
            [sys.executable, "-c", become + start, *arguments],
            cwd=ROOT,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.screen = ""
        self._seen = 0
        self.answers = 0

    def until(self, wanted: str) -> str:
        """What was printed since the last call, once it contains *wanted*."""
        deadline = time.monotonic() + SECONDS
        while wanted not in self.screen[self._seen :]:
            left = deadline - time.monotonic()
            assert left > 0, f"no {wanted!r} in:\n{self.screen}"
            if select.select([self._ours], [], [], left)[0]:
                assert self._read(), f"it ended before {wanted!r}:\n{self.screen}"
        at = self.screen.index(wanted, self._seen) + len(wanted)
        told, self._seen = self.screen[self._seen : at], at
        return told

    def answer(self, question: str, text: str) -> str:
        """What was printed up to the question; then the answer is typed."""
        told = self.until(question)
        self.until(": ")
        os.write(self._ours, text.encode() + b"\n")
        self.answers += 1
        return told

    def end(self) -> int:
        ended = self._ends_within(SECONDS)
        if not ended:
            self._process.kill()
        assert ended, f"it does not end:\n{self.screen}"
        os.close(self._ours)
        return self._process.wait(SECONDS)

    def interrupt(self) -> int:
        """As a person does: once the question stands there, and again where nothing follows."""
        self.until(": ")
        for _ in range(3):
            os.write(self._ours, b"\x03")
            if self._ends_within(SECONDS / 3):
                break
        return self.end()

    def _ends_within(self, seconds: float) -> bool:
        while select.select([self._ours], [], [], seconds)[0]:
            if not self._read():
                return True
        return False

    def _read(self) -> bool:
        try:
            part = os.read(self._ours, 65536)
        except OSError:  # the program has closed the terminal
            return False
        self.screen += part.decode(errors="replace").replace("\r\n", "\n")
        return bool(part)


def _credentials(bench: Bench) -> tuple[str, str]:
    """Of the Cloud site on the left, and of the Data Center on the right."""
    user = bench.left.site.user("twinlink")
    cloud = f"{user.email} {token_of(bench.left.site, 'twinlink')}"
    return cloud, token_of(bench.right.site, "twinlink")


def _straight_on(bench: Bench) -> tuple[Terminal, int]:
    cloud, datacenter = _credentials(bench)
    terminal = Terminal(bench.up.directory, "init")
    # What is in the address bar, page and all.
    terminal.answer("Address of the left Jira", f"{bench.left.base_url}/browse/P-1")
    assert "Jira Cloud" in terminal.answer("E-mail and API token", cloud)
    terminal.answer("Address of the right Jira", bench.right.base_url)
    assert "Jira Data Center" in terminal.answer("Personal access token", datacenter)
    terminal.answer("Project on the left and on the right", "p P")
    assert "Blocks = Blocks" in terminal.answer("Direction", "1")
    terminal.answer("or `later`", "keys")
    assert "P-1 = P-1" in terminal.answer("Pair 3 issues?", "y")
    return terminal, terminal.end()


async def test_eight_answers_lead_to_a_connection_in_shadow(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    person_on(bench.left.site, "ann").link("P-1", "Blocks", "P-2")
    began = time.monotonic()
    terminal, code = await asyncio.to_thread(_straight_on, bench)
    with capsys.disabled():
        print(f"\ninit: {terminal.answers} answers, {time.monotonic() - began:.0f} s")
    assert code == 0, terminal.screen
    assert terminal.answers == 8
    said = " ".join(terminal.screen.split())
    assert "main is in mode shadow, after 8 answers" in said
    assert "create_only would make 1 link" in said
    for credentials in _credentials(bench):
        assert credentials.split()[-1] not in terminal.screen, "what is secret is not shown"
    shown = await bench.json("connection", "show", "main")
    assert (shown["mode"], shown["direction"]) == ("shadow", "left_to_right")
    assert bench.right.site.links == {}
    for name in ("left", "right"):
        (hook,) = (await bench.json("webhooks", "list", name))["items"]
        assert hook["url"].endswith(f"/webhooks/jira/{name}")
    assert len((await bench.json("twins", "list", "main"))["items"]) == 3


def _by_mistakes(bench: Bench) -> str:
    """Everything on the screens of two runs, the first of which is interrupted."""
    cloud, datacenter = _credentials(bench)
    first = Terminal(bench.up.directory, "init")
    address = "Address of the left Jira"
    first.answer(address, "ftp://left")
    assert "is no address" in first.answer(address, "http://127.0.0.1:9")
    assert "does not answer" in first.answer(address, bench.left.base_url)
    first.answer("E-mail and API token", "token-alone")
    assert "takes an account's e-mail" in first.answer(address, bench.left.base_url)
    first.answer("E-mail and API token", f"{cloud.split()[0]} wrong")
    assert "left cannot be used like this" in first.answer(address, bench.left.base_url)
    first.answer("E-mail and API token", cloud)
    first.until("Address of the right Jira")
    assert first.interrupt() == 1
    assert "twinlink init goes on from here" in first.screen

    again = Terminal(bench.up.directory, "init")
    assert "set up before" in again.answer("Address of the right Jira", bench.right.base_url)
    again.answer("Personal access token", datacenter)
    projects = "Project on the left and on the right"
    again.answer(projects, "P NOPE")
    assert "shows our account no project NOPE" in again.answer(projects, "P P")
    again.answer("Direction", "sideways")
    assert "is none of" in again.answer("Direction", "both")
    again.answer("or `later`", "later")
    assert again.end() == 0, again.screen
    return first.screen + again.screen


async def test_each_mistake_is_named_and_an_interruption_goes_on(bench: Bench) -> None:
    screens = await asyncio.to_thread(_by_mistakes, bench)
    assert "Traceback" not in screens
    assert "/api/v1" not in screens
    assert (await bench.json("connection", "show", "main"))["direction"] == "both"
