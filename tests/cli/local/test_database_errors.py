"""Where PostgreSQL is away or refuses us, each command says so in one line, and ends alike."""

import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from app.embedded.process import free_port
from tests.cli.processes import ROOT
from tests.support.servers import Database

pytestmark = pytest.mark.slow

COMMANDS = ("api", "worker", "migrate", "doctor")
SECRET = "wrong-password-0123456789"


def _run(command: str, url: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "",
        "TWINLINK_DATABASE_URL": url,
        "TWINLINK_PORT": str(free_port()),
        "TWINLINK_HOST": "127.0.0.1",
        "TWINLINK_SECRET_KEY": "k" * 32,
        "TWINLINK_ADMIN_TOKEN": "a" * 16,
        "TWINLINK_DATA_DIR": "/nonexistent",
        "TWINLINK_API_URL": "http://127.0.0.1:9",
    }
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_password_is_one_line(command: str, database: Database) -> None:
    parts = urlsplit(database.run_url)
    url = f"postgresql://{parts.username}:{SECRET}@127.0.0.1:{parts.port}{parts.path}"
    ended = _run(command, url)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert f"127.0.0.1:{parts.port} refuses the role {parts.username}" in said
    assert "TWINLINK_DATABASE_URL" in said
    assert "Traceback" not in said
    assert SECRET not in said
    assert len(ended.stderr.splitlines()) <= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_does_not_run_is_one_line(command: str) -> None:
    ended = _run(command, "postgresql://someone:secret@127.0.0.1:9/twinlink")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "127.0.0.1:9 does not run" in said
    assert "Traceback" not in said
    assert len(ended.stderr.splitlines()) <= 3
