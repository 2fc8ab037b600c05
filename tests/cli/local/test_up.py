"""`twinlink up` as a real process tree, on a free port and a data directory of its own."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.embedded import throwaway_directory
from tests.cli.processes import SECONDS, all_end, command, start, up
from tests.support.servers import Database, throwaway_parent

pytestmark = pytest.mark.slow


@pytest.fixture
def directory() -> Iterator[Path]:
    with throwaway_directory(throwaway_parent()) as path:
        path.chmod(0o711)
        yield path


@pytest.fixture
def elsewhere(empty_database: Database, redis_url: str) -> dict[str, str]:
    """Servers that run already: `up` starts none."""
    return {
        "TWINLINK_DATABASE_URL": empty_database.run_url,
        "TWINLINK_MIGRATE_DATABASE_URL": empty_database.migrate_url,
        "TWINLINK_REDIS_URL": redis_url,
    }


def test_from_start_to_stop_and_once_more(directory: Path) -> None:
    with up(directory, env={}) as first, all_end(first.pids):
        answer = httpx.get(f"{first.told['address']}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert first.told["versions"]["PostgreSQL"].startswith("18.")
        token = Path(first.told["token"]).read_text()
        assert (directory / "running.json").exists()
        assert first.end(signal.SIGTERM)[0] == 0
    assert not (directory / "running.json").exists()
    with up(directory, env={}) as second, all_end(second.pids):
        assert Path(second.told["token"]).read_text() == token
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{second.told['address']}/api/v1/tokens", headers=headers)
        assert answer.status_code == 200
        second.process.kill()  # however it ends, nothing stays


def test_on_servers_that_are_named_and_alone_in_its_directory(
    directory: Path, elsewhere: dict[str, str]
) -> None:
    with up(directory, env=elsewhere) as running, all_end(running.pids):
        assert running.told["versions"] == {}
        assert running.pids.keys() == {"up", "api", "worker"}
        report = command(directory, "doctor", "--json")
        assert report.returncode == 0, report.stdout + report.stderr
        checks = {check["name"]: check["status"] for check in json.loads(report.stdout)["checks"]}
        names = {"secret key", "database", "clocks", "schema", "roles", "installation", "redis"}
        assert checks == dict.fromkeys(
            [*names, "sealed secrets", "decisions", "workers", "api", "connections"], "ok"
        )
        _, said = start(directory, env=elsewhere).communicate(timeout=SECONDS)
        assert "Twinlink runs here already, at http://127.0.0.1" in said
        assert "TWINLINK_PORT" not in said, "another port would only meet the same directory"
        assert running.end(signal.SIGINT)[0] == 0


def test_it_ends_with_a_child_that_ends_and_says_which(
    directory: Path, elsewhere: dict[str, str]
) -> None:
    with up(directory, env=elsewhere) as running, all_end(running.pids):
        os.kill(running.pids["worker"], signal.SIGKILL)
        _, said = running.process.communicate(timeout=SECONDS)
        assert running.process.returncode == 1
        assert "the worker ended by itself, by SIGKILL" in said


def test_a_second_signal_stops_at_once(directory: Path, elsewhere: dict[str, str]) -> None:
    with up(directory, env=elsewhere) as running, all_end(running.pids):
        os.kill(running.pids["api"], signal.SIGSTOP)  # an orderly stop would wait for it
        with all_end({"worker": running.pids["worker"]}):
            running.process.send_signal(signal.SIGTERM)
        assert running.end(signal.SIGTERM)[0] == 1


def test_a_taken_port_is_found_before_anything_starts(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start(directory, "--port", port, env={})
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in said
    assert not (directory / "postgres").exists()


def test_the_database_of_another_installation_is_refused(
    directory: Path, elsewhere: dict[str, str]
) -> None:
    production = elsewhere | {"TWINLINK_INSTALLATION": "production"}
    with up(directory, env=production) as running:
        assert running.end(signal.SIGTERM)[0] == 0
    process = start(directory, env=elsewhere | {"TWINLINK_INSTALLATION": "staging"})
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "set TWINLINK_INSTALLATION=production" in said
