"""`twinlink apply` and `export`: the difference first, nothing twice, no secret in the file."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from app.cli.client.config_file import schema
from tests.cli.conftest import FakeService, Line, listed, problem
from tests.cli.processes import ROOT
from tests.cli.samples import CONFIG, CONNECTION, SITE

FILE: dict[str, Any] = {
    "sites": {
        "cloud": {
            "base_url": "https://one.example.org",
            "deployment": "cloud",
            "auth": {"kind": "basic", "email": "bot@example.org", "token": {"env": "CLOUD_TOKEN"}},
            "webhook_secret": {"file": "cloud.secret"},
            "account_dedicated": True,
        }
    },
    "connections": {
        "main": {
            "left": {"site": "cloud", "projects": ["A"]},
            "right": {"site": "dc", "projects": ["B", "C"]},
            "direction": "both",
            "link_types": [{"left": "Blocks", "right": "Stops", "reversed": True}],
        }
    },
}
SAME: dict[str, Any] = {
    "revision": 2,
    "mode": "live",
    "changes": [],
    "newly_written": [],
    "managed": 200,
    "suspended": 0,
    "resumed": 0,
}


@pytest.fixture
def file(tmp_path: Path, line: Line) -> Path:
    """As a person wrote it, with one secret beside it and one in the environment."""
    (tmp_path / "cloud.secret").write_text("sixteen characters\n")
    line.env["CLOUD_TOKEN"] = "tok"
    path = tmp_path / "twinlink.yaml"
    path.write_text(yaml.safe_dump(FILE))
    return path


def _there(service: FakeService, **found: Any) -> None:
    """Both exist, and the connection is live."""
    service.answers["GET /sites/cloud"] = (200, SITE)
    service.answers["PUT /sites/cloud"] = (200, SITE | {"findings": []})
    service.answers["GET /connections/main"] = (200, CONNECTION | {"mode": "live"})
    service.answers["GET /connections/main/revisions/2"] = (200, {"revision": 2, "config": CONFIG})
    service.answers["POST /connections/main/difference"] = (200, SAME | found)
    service.answers["PUT /connections/main"] = (200, CONNECTION)


def test_what_is_new_is_made(line: Line, service: FakeService, file: Path) -> None:
    service.answers["GET /sites/cloud"] = problem(404, "site_unknown")
    service.answers["PUT /sites/cloud"] = (201, SITE | {"findings": []})
    service.answers["GET /connections/main"] = problem(404, "connection_unknown")
    service.answers["PUT /connections/main"] = (201, CONNECTION)
    done = line("apply", "-f", str(file))
    assert done.exit_code == 0, done.output
    site, connection = service.bodies
    assert site["auth"]["token"] == "tok"
    assert site["webhook_secret"] == "sixteen characters"
    assert connection == FILE["connections"]["main"]
    assert "site cloud: new\nconnection main: new, in shadow\n" in done.stdout


def test_twice_changes_nothing(line: Line, service: FakeService, file: Path) -> None:
    _there(service)
    done = line("apply", "-f", str(file))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("nothing to change\n")
    assert service.asked[-1].headers["if-match"] == '"2"'
    assert line("apply", "-f", str(file), "--dry-run").exit_code == 0


def test_a_difference_is_shown_with_counts_and_asks(
    line: Line, service: FakeService, file: Path
) -> None:
    change = {"field": "link_types", "before": ["Relates = Relates"], "after": []}
    _there(service, changes=[change], suspended=139)
    refused = line("apply", "-f", str(file))
    assert refused.exit_code == 2
    assert "139 of 200 managed links would be suspended" in refused.stderr
    assert not any(it.startswith("PUT") for it in service.lines)
    assert line("apply", "-f", str(file), "--dry-run").exit_code == 3
    assert not any(it.startswith("PUT") for it in service.lines)
    assert line("apply", "-f", str(file), "--yes").exit_code == 0


def test_a_secret_in_plain_text_is_refused(line: Line, service: FakeService, file: Path) -> None:
    file.write_text("sites: {cloud: {webhook_secret: hunter2hunter2hunter2}}")
    refused = line("apply", "-f", str(file))
    assert refused.exit_code == 2
    assert "{env: NAME}" in refused.stderr
    assert "hunter2" not in refused.output
    assert service.asked == []


@pytest.mark.parametrize("text", ["", "[1]", "sites: {", "links: {}"])
def test_what_is_no_such_file_is_refused(line: Line, file: Path, text: str) -> None:
    file.write_text(text)
    assert line("apply", "-f", str(file)).exit_code == 2


def test_an_export_is_what_apply_takes(line: Line, service: FakeService, file: Path) -> None:
    _there(service)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /connections"] = listed(CONNECTION)
    text = line("export").stdout
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(text))
    file.write_text(text)
    done = line("apply", "-f", str(file))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("nothing to change\n")
    assert "webhook_secret" not in service.bodies[-2], "a variable that is not set keeps it"


def test_the_schema_is_committed_and_takes_the_example(line: Line) -> None:
    committed = json.loads((ROOT / "openapi" / "twinlink.schema.json").read_text())
    assert committed == schema() == json.loads(line("apply", "--schema").stdout), "make openapi"
    check = jsonschema.Draft202012Validator(committed)
    check.validate(FILE)
    plain = json.loads(json.dumps(FILE))
    plain["sites"]["cloud"]["webhook_secret"] = "in plain text"
    assert not check.is_valid(plain)
