"""`twinlink connection put`: what is not named is kept, and a connection that writes asks first."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import FakeService, Line, problem
from tests.cli.samples import CONFIG, CONNECTION

KEPT = CONFIG | {"twins": {"source": "api"}}
NEW = ("--left", "cloud:a", "--right", "dc:B, C", "--link-type", "Relates")
CHANGED: dict[str, Any] = {
    "revision": 2,
    "mode": "live",
    "changes": [
        {
            "field": "link_types",
            "before": ["Blocks = Stops reversed", "Relates = Relates"],
            "after": ["Relates = Relates"],
        },
        {"field": "direction", "before": ["left_to_right"], "after": ["both"]},
    ],
    "newly_written": ["cloud"],
    "managed": 200,
    "suspended": 139,
    "resumed": 0,
}


def _there(service: FakeService, mode: str = "shadow", **difference: Any) -> None:
    """The connection `main` at revision 2, and what a change of it would do."""
    service.answers["GET /connections/main"] = (200, CONNECTION | {"mode": mode})
    service.answers["GET /connections/main/revisions/2"] = (200, {"revision": 2, "config": CONFIG})
    found = CHANGED | {"mode": mode} | difference
    service.answers["POST /connections/main/difference"] = (200, found)
    service.answers["PUT /connections/main"] = (200, CONNECTION | {"next_step": ""})


def _absent(service: FakeService) -> None:
    service.answers["GET /connections/main"] = problem(404, "connection_unknown")
    service.answers["PUT /connections/main"] = (201, CONNECTION | {"next_step": "Add twins."})


def test_a_connection_from_options(line: Line, service: FakeService) -> None:
    _absent(service)
    result = line(
        *("connection", "put", "main", *NEW, "--direction", "left_to_right"),
        *("--link-type", "Blocks=Stops:reversed", "--twin-field", "left:customfield_1"),
    )
    assert result.exit_code == 0, result.stderr
    assert service.bodies == [
        {
            "left": {"site": "cloud", "projects": ["A"]},
            "right": {"site": "dc", "projects": ["B", "C"]},
            "direction": "left_to_right",
            "link_types": [
                {"left": "Relates", "right": "Relates", "reversed": False},
                {"left": "Blocks", "right": "Stops", "reversed": True},
            ],
            "twins": {"source": "field", "side": "left", "field": "customfield_1"},
        }
    ]
    assert "Blocks = Stops reversed" in result.stdout
    assert "next: Add twins." in result.stderr


def test_a_new_connection_needs_a_direction(line: Line, service: FakeService) -> None:
    """No default: the widest of the three would write on both sites."""
    _absent(service)
    refused = line("connection", "put", "main", *NEW)
    assert refused.exit_code == 2
    assert "--direction" in refused.stderr
    assert "--left" not in refused.stderr
    assert service.bodies == []


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--direction", "left_to_right"), {"direction": "left_to_right"}),
        (("--approvals", "2"), {"approvals": 2}),
        (("--on-issue-deleted", "remove"), {"on_issue_deleted": "remove"}),
        (("--right", "dc:B,C,D"), {"right": {"site": "dc", "projects": ["B", "C", "D"]}}),
        (("--twin-field", "none"), {"twins": {"source": "api"}}),
    ],
)
def test_what_no_option_names_is_kept(
    line: Line, service: FakeService, options: tuple[str, ...], changed: dict[str, Any]
) -> None:
    _there(service)
    assert line("connection", "put", "main", *options).exit_code == 0
    assert service.bodies == [KEPT | changed] * 2  # previewed, then stored
    assert service.asked[-1].headers["if-match"] == '"2"'


@pytest.mark.parametrize("name", ["main.json", "main.toml"])
def test_what_a_file_leaves_out_is_kept_as_well(
    line: Line, service: FakeService, tmp_path: Path, name: str
) -> None:
    text = {"main.json": '{"direction": "both"}', "main.toml": 'direction = "both"'}[name]
    (tmp_path / name).write_text(text)
    _there(service)
    done = line("connection", "put", "main", str(tmp_path / name))
    assert done.exit_code == 0, done.stderr
    assert service.bodies[-1] == KEPT | {"direction": "both"}


def test_the_difference_is_shown_with_counts(line: Line, service: FakeService) -> None:
    _there(service)
    said = line("connection", "put", "main", "--link-type", "Relates").stderr
    assert "- Blocks = Stops reversed" in said
    assert "139 of 200 managed links would be suspended" in said
    assert "it would also write to cloud" in said


@pytest.mark.parametrize("mode", ["create_only", "review", "live"])
def test_a_connection_that_writes_is_not_changed_unasked(
    line: Line, service: FakeService, mode: str
) -> None:
    _there(service, mode)
    refused = line("connection", "put", "main", "--link-type", "Relates")
    assert refused.exit_code == 2
    assert "139 of 200 managed links would be suspended" in refused.stderr
    assert "PUT /api/v1/connections/main" not in service.lines
    assert line("connection", "put", "main", "--link-type", "Relates", "--yes").exit_code == 0


def test_what_changes_nothing_asks_nothing(line: Line, service: FakeService) -> None:
    _there(service, "live", changes=[])
    done = line("connection", "put", "main", "--direction", "both")
    assert done.exit_code == 0
    assert "has this configuration already" in done.stderr


def test_a_revision_that_is_expected_is_asked_for(line: Line, service: FakeService) -> None:
    _there(service)
    line("connection", "put", "main", "--direction", "both", "--revision", "1")
    assert service.asked[-1].headers["if-match"] == '"1"'


def test_what_show_prints_put_takes(line: Line, service: FakeService) -> None:
    """Of the active revision: a newer one may be in shadow."""
    _there(service)
    config = line("connection", "show", "main", "--config").stdout
    assert line("connection", "put", "main", "-", input=config).exit_code == 0
    assert service.bodies[-1] == KEPT


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--left", "cloud", "--right", "dc:B", "--link-type", "x"),
        ("/nowhere.json",),
        ("-", "--left", "cloud:A"),
        ("--approvals", "3"),
        ("--twin-field", "customfield_1"),
    ],
)
def test_half_a_connection_is_a_usage_error(
    line: Line, service: FakeService, arguments: tuple[str, ...]
) -> None:
    assert line("connection", "put", "main", *arguments, input="{}").exit_code == 2
    assert service.asked == []


def test_what_a_put_found_is_shown(line: Line, service: FakeService) -> None:
    _absent(service)
    finding = {"side": "left", "severity": "error", "code": "project_unseen", "detail": "no A"}
    stored = CONNECTION | {"next_step": "", "findings": [finding]}
    service.answers["PUT /connections/main"] = (200, stored)
    result = line("connection", "put", "main", *NEW, "--direction", "both")
    assert "project_unseen" in result.stdout
