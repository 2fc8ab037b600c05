"""A command loads what it needs and no more: most of the time of a short one was imports.

Modules are counted, not seconds.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
import typer

from app.cli.main import COMMANDS, app, load

# Each takes longer to import than a client command may take.
HEAVY = {"alembic", "apprise", "arq", "asyncpg", "fastapi", "redis", "sqlalchemy", "uvicorn"}
OURS = {"app.api", "app.jira", "app.store", "app.sync", "app.wiring", "workers"}
_IN = """
import json, sys
from app.cli.main import app
try:
    app(prog_name="twinlink", args={arguments!r})
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(arguments: Sequence[str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _IN.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
        env={"TWINLINK_API_TOKEN": "x" * 20, "TWINLINK_API_URL": "http://127.0.0.1:1"},
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("arguments", "also"),
    [
        (["--help"], {"httpx", "structlog"}),
        (["status"], {"structlog"}),
        (["plan", "list"], {"structlog"}),
        (["audit", "list"], {"structlog"}),
        (["explain", "A-1"], {"structlog"}),
        (["worker", "--help"], {"fastapi", "httpx"}),
    ],
)
def test_it_loads_no_more_than_it_needs(arguments: list[str], also: set[str]) -> None:
    modules = loaded(arguments)
    assert "app.cli.main" in modules
    assert not modules & (HEAVY | OURS | also)


def test_a_worker_loads_no_web_framework_and_the_api_no_migrations() -> None:
    code = "import sys, json; import {0}; print(json.dumps(sorted(sys.modules)))"
    for name, never in (
        ("workers.main", {"fastapi", "app.api", "app.cli", "sqlalchemy", "apprise"}),
        ("app.main", {"sqlalchemy", "alembic", "apprise", "typer", "app.cli"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=True
        )
        assert not set(json.loads(done.stdout)) & never, name


def test_the_list_says_what_each_command_says_of_itself() -> None:
    for name, (_, text) in COMMANDS.items():
        assert load(name).get_short_help_str(limit=300) == text
        assert load(name).name == name
    assert {*load("site").commands} >= {"list", "sign-in", "network", "basic-webhooks"}
    assert list(typer.main.get_command(app).commands) == list(COMMANDS)  # type: ignore[attr-defined]
