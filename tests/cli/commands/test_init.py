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

from app.sandbox import Flavour, Served, token_of
from app.sandbox.people import person_on
from tests.cli.commands.test_live import Bench, BenchOf, bench, bench_of
from tests.cli.processes import ROOT

__all__ = ["bench", "bench_of"]
pytestmark = pytest.mark.slow
SECONDS = 30.0


class Terminal:
    """A program in a terminal of 80 columns, and a person who waits for what it asks."""

    def __init__(self, directory: Path, *arguments: str, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        env = {
            "PATH": os.environ["PATH"],
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "TWINLINK_DATA_DIR": str(directory),
            "TWINLINK_ALLOW_PRIVATE_SITES": "1",
            "PYTHONPATH": str(ROOT),
        }
        # setsid, and the terminal as the controlling one: hidden answers are read from /dev/tty.
        become = "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        # Where the tests run in the background, Ctrl-C is ignored, and their children inherit that.
        become += "signal.signal(signal.SIGINT, signal.SIG_DFL);"
        start = "os.execv(sys.executable, [sys.executable, '-m', 'app.cli.main', *sys.argv[1:]])"
        self._process = subprocess.Popen(
            [sys.executable, "-c", become + start, *arguments],
            cwd=folder,
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


ASKED = {
    "cloud": ("Jira Cloud", "E-mail and API token"),
    "datacenter": ("Jira Data Center", "Personal access token"),
}


def _credentials(served: Served) -> str:
    token = token_of(served.site, "twinlink")
    cloud = served.site.flavour == "cloud"
    return f"{served.site.user('twinlink').email} {token}" if cloud else token


def _straight_on(bench: Bench, folder: Path) -> tuple[Terminal, int]:
    terminal = Terminal(bench.up.directory, "init", folder=folder)
    for name, served in (("left", bench.left), ("right", bench.right)):
        # What is in the address bar, page and all.
        terminal.answer(f"Address of the {name} Jira", f"{served.base_url}/browse/P-1")
        title, wanted = ASKED[served.site.flavour]
        assert title in terminal.answer(wanted, _credentials(served))
    terminal.answer("Project on the left and on the right", "p P")
    assert "Blocks = Blocks (blocks, is blocked by)" in terminal.answer("[all of these]", "")
    terminal.answer("Direction", "1")
    assert "P-1 = P-1" in terminal.answer("or `later`", "keys")
    return terminal, terminal.end()


@pytest.mark.parametrize("right", ["cloud", "datacenter"])
async def test_eight_answers_lead_to_a_connection_in_shadow(
    right: Flavour, bench_of: BenchOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bench_of(right) as bench:
        person_on(bench.left.site, "ann").link("P-1", "Blocks", "P-2")
        began = time.monotonic()
        terminal, code = await asyncio.to_thread(_straight_on, bench, tmp_path)
        seconds = time.monotonic() - began
        with capsys.disabled():
            print(f"\ninit, cloud and {right}: {terminal.answers} answers, {seconds:.0f} s")
        assert code == 0, terminal.screen
        assert terminal.answers == 8
        await _is_in_shadow(bench, terminal.screen)
        await _its_file_changes_nothing(bench, tmp_path / "twinlink.yaml")
        await _is_live(bench)


async def _is_in_shadow(bench: Bench, screen: str) -> None:
    said = " ".join(screen.split())
    assert "main is in mode shadow, after 8 answers" in said
    assert "create_only would make 1 link" in said
    for served in (bench.left, bench.right):
        assert token_of(served.site, "twinlink") not in screen, "what is secret is not shown"
    shown = await bench.json("connection", "show", "main")
    assert (shown["mode"], shown["direction"]) == ("shadow", "left_to_right")
    assert bench.right.site.links == {}
    for name in ("left", "right"):
        (hook,) = (await bench.json("webhooks", "list", name))["items"]
        assert hook["url"].endswith(f"/webhooks/jira/{name}")
    assert len((await bench.json("twins", "list", "main"))["items"]) == 3


async def _its_file_changes_nothing(bench: Bench, file: Path) -> None:
    text = await asyncio.to_thread(file.read_text)
    for served in (bench.left, bench.right):
        assert token_of(served.site, "twinlink") not in text
    assert "env: LEFT_TOKEN" in text

    async def versions() -> list[int]:
        sites = [await bench.json("site", "show", name) for name in ("left", "right")]
        connection = await bench.json("connection", "show", "main")
        return [*(it["version"] for it in sites), connection["revision"]]

    before = await versions()
    assert (await bench.done("apply", "-f", str(file))).startswith("nothing to change")
    assert await versions() == before
    assert await bench.done("export") in text


async def _is_live(bench: Bench) -> None:
    """The steps that the screen named."""
    for name in ("left", "right"):
        await bench.done("site", "put", name, "--dedicated")
    for mode in ("create_only", "live"):
        await bench.done("mode", "main", mode)
    await bench.done("resync", "main")
    assert bench.right.site.triples_of() == {("P-1", "Blocks", "P-2")}


def _by_mistakes(bench: Bench, folder: Path) -> str:
    """Everything on the screens of two runs, the first of which is interrupted."""
    cloud, datacenter = _credentials(bench.left), _credentials(bench.right)
    first = Terminal(bench.up.directory, "init", folder=folder)
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

    (folder / "twinlink.yaml").write_text("# mine\n")
    again = Terminal(bench.up.directory, "init", folder=folder)
    assert "set up before" in again.answer("Address of the right Jira", bench.right.base_url)
    again.answer("Personal access token", datacenter)
    projects = "Project on the left and on the right"
    again.answer(projects, "P QP")
    assert "no project QP; did you mean 'P'?" in again.answer(projects, "P P")
    again.answer("[all of these]", "Blcks")
    assert "did you mean 'Blocks'?" in again.answer("[all of these]", "blocks")
    again.answer("Direction", "sideways")
    assert "is none of" in again.answer("Direction", "both")
    again.answer("or `later`", "later")
    again.answer("replace it? [y/N]", "")
    assert again.end() == 0, again.screen
    return first.screen + again.screen


async def test_each_mistake_is_named_and_an_interruption_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    screens = await asyncio.to_thread(_by_mistakes, bench, tmp_path)
    assert "Traceback" not in screens
    assert "/api/v1" not in screens
    assert (await bench.json("connection", "show", "main"))["direction"] == "both"
    assert (tmp_path / "twinlink.yaml").read_text() == "# mine\n", "nothing is overwritten unasked"


def _interrupted(bench: Bench, folder: Path) -> str:
    """Ctrl-C where what is typed is hidden, and where Enter would do; what is stored by then is not
    asked again."""
    cloud, datacenter = _credentials(bench.left), _credentials(bench.right)
    left = [("Address of the left Jira", bench.left.base_url), ("E-mail and API token", cloud)]
    right = [("Address of the right Jira", bench.right.base_url), ("access token", datacenter)]
    third = [("Project on the left", "P P"), ("[all of these]", ""), ("Direction", "1")]
    twins = ("or `later`", "keys")
    answered = [left[:1], [*left, *right, third[0]]]
    then = [left[1], third[1]]
    screens = ""
    for answers, (question, _) in zip(answered, then, strict=True):
        terminal = Terminal(bench.up.directory, "init", folder=folder)
        for earlier, said in answers:
            terminal.answer(earlier, said)
        terminal.until(question)
        assert terminal.interrupt() == 1
        assert "twinlink init goes on from here" in terminal.screen
        screens += terminal.screen
    last = Terminal(bench.up.directory, "init", folder=folder)
    for question, said in (*third, twins):
        last.answer(question, said)
    assert last.end() == 0, last.screen
    return screens + last.screen


async def test_an_interruption_loses_nothing_that_is_stored(bench: Bench, tmp_path: Path) -> None:
    screens = await asyncio.to_thread(_interrupted, bench, tmp_path)
    assert "Traceback" not in screens
    assert (tmp_path / "twinlink.yaml").exists()
    for name in ("left", "right"):
        assert len((await bench.json("webhooks", "list", name))["items"]) == 1
