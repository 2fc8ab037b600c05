"""What only other programs can say of the deployment. `make deploy-check` fetches and runs them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv" / "deploy"
PROMTOOL = TOOLS / "usr" / "bin" / "promtool"

pytestmark = pytest.mark.deployment


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_alert_fires_where_it_has_to() -> None:
    folder = ROOT / "deploy" / "prometheus"
    _run(PROMTOOL, "check", "rules", "alerts.yml", cwd=folder)
    assert "SUCCESS" in _run(PROMTOOL, "test", "rules", "alerts_test.yml", cwd=folder)
