"""`twinlink up` as a real process tree, on a free port and a data directory of its own."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.embedded import throwaway_directory
from tests.support.servers import throwaway_parent

ROOT = Path(__file__).parents[2]
SECONDS = 60.0

pytestmark = pytest.mark.slow


@dataclass
class Up:
    process: subprocess.Popen[str]
    told: dict[str, Any]
    directory: Path

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.told["pids"]
        return pids


@contextmanager
def up(directory: Path, *arguments: str, **env: str) -> Iterator[Up]:
    """Until it says that it is ready; killed at the end if the test did not end it."""
    process = _start(directory, *arguments, **env)
    try:
        yield Up(process, json.loads(_document(process)), directory)
    finally:
        process.kill()
        process.communicate()


def _start(directory: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    command = ["-m", "app.cli.main", "up", "--port", "0", "--json", *arguments]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "TWINLINK_DATA_DIR": str(directory), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _document(process: subprocess.Popen[str]) -> str:
    """Its one JSON document, which ends in a line with a lone bracket."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return "".join(lines)
    raise AssertionError(process.stderr.read() if process.stderr else "")


def _command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "TWINLINK_DATA_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def all_end(pids: dict[str, int]) -> Iterator[None]:
    """Whatever happens inside the block, these processes are gone soon after it."""
    ends = {name: os.pidfd_open(pid) for name, pid in pids.items()}
    try:
        yield
        for name, end in ends.items():
            assert select.select([end], [], [], SECONDS)[0], f"{name} is still there"
    finally:
        for end in ends.values():
            os.close(end)


@pytest.fixture
def directory() -> Iterator[Path]:
    with throwaway_directory(throwaway_parent()) as path:
        path.chmod(0o711)
        yield path


def test_from_start_to_stop_and_once_more(directory: Path) -> None:
    with up(directory) as first, all_end(first.pids):
        answer = httpx.get(f"{first.told['address']}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert first.told["versions"]["PostgreSQL"].startswith("18.")
        token = Path(first.told["token"]).read_text()
        assert _command(directory, "token", "list").returncode == 0
        assert (directory / "running.json").exists()
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(SECONDS) == 0
    assert not (directory / "running.json").exists()
    with up(directory) as second, all_end(second.pids):
        assert Path(second.told["token"]).read_text() == token
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{second.told['address']}/api/v1/tokens", headers=headers)
        assert answer.status_code == 200
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(SECONDS) == 0


def test_doctor_finds_what_up_runs_in_order(directory: Path) -> None:
    with up(directory) as running:
        report = _command(directory, "doctor", "--json")
        assert report.returncode == 0, report.stdout + report.stderr
        checks = {check["name"]: check["status"] for check in json.loads(report.stdout)["checks"]}
        names = {"secret key", "database", "clocks", "schema", "roles", "installation", "redis"}
        assert dict.fromkeys([*names, "api"], "ok") == checks
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(SECONDS) == 0


@pytest.mark.parametrize("name", ["api", "worker"])
def test_it_ends_with_a_child_that_ends_and_says_which(directory: Path, name: str) -> None:
    with up(directory) as running, all_end(running.pids):
        os.kill(running.pids[name], signal.SIGKILL)
        _, said = running.process.communicate(timeout=SECONDS)
        assert running.process.returncode == 1
        assert f"the {name} ended by itself, by SIGKILL" in said


def test_nothing_survives_its_death(directory: Path) -> None:
    with up(directory) as running, all_end(running.pids):
        running.process.kill()


def test_a_second_signal_stops_at_once(directory: Path) -> None:
    with up(directory) as running, all_end(running.pids):
        os.kill(running.pids["api"], signal.SIGSTOP)  # an orderly stop would wait for it
        running.process.send_signal(signal.SIGTERM)
        _wait_for_end(running.pids["worker"])
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(SECONDS) == 1


def _wait_for_end(pid: int) -> None:
    end = os.pidfd_open(pid)
    try:
        assert select.select([end], [], [], SECONDS)[0]
    finally:
        os.close(end)


def test_two_do_not_share_a_directory(directory: Path) -> None:
    with up(directory) as running:
        _, said = _start(directory).communicate(timeout=SECONDS)
        assert "another process runs its servers in" in said
        assert httpx.get(f"{running.told['address']}/healthz").status_code == 200


def test_a_taken_port_is_found_before_anything_starts(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = _start(directory, "--port", port)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in said
    assert not (directory / "postgres").exists()


def test_the_database_of_another_installation_is_refused(directory: Path) -> None:
    with up(directory, TWINLINK_INSTALLATION="production") as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(SECONDS) == 0
    process = _start(directory, TWINLINK_INSTALLATION="staging")
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "set TWINLINK_INSTALLATION=production" in said
