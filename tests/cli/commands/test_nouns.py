"""What the nouns send, print and exit with."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app import __version__
from tests.cli.conftest import FakeService, Line, listed, problem
from tests.cli.samples import CONNECTION, RESYNC, SITE, STATUS


def test_a_new_site_from_options(line: Line, service: FakeService, tmp_path: Path) -> None:
    token, secret = tmp_path / "token", tmp_path / "secret"
    token.write_text("tok\n")
    secret.write_text("hook\r\n")
    service.answers["GET /sites/cloud"] = problem(404, "site_unknown")
    service.answers["PUT /sites/cloud"] = (201, SITE | {"findings": []})
    result = line(
        *("site", "put", "cloud", "--base-url", "https://one.example.org"),
        *("--deployment", "cloud", "--email", "bot@example.org", "--token-file", str(token)),
        *("--webhook-secret-file", str(secret), "--dedicated"),
    )
    assert result.exit_code == 0, result.stderr
    assert service.bodies == [
        {
            "base_url": "https://one.example.org",
            "deployment": "cloud",
            "account_dedicated": True,
            "webhook_secret": "hook",
            "auth": {"kind": "basic", "email": "bot@example.org", "token": "tok"},
        }
    ]
    assert "if-match" not in service.asked[1].headers
    assert "tok" not in result.stdout.replace("token", "")


def test_a_site_keeps_what_no_option_names(line: Line, service: FakeService) -> None:
    service.answers["GET /sites/cloud"] = (200, SITE)
    service.answers["PUT /sites/cloud"] = (200, SITE | {"findings": []})
    line("site", "put", "cloud", "--token-file", "-", input="new\n")
    assert service.bodies == [
        {
            "base_url": "https://one.example.org",
            "web_url": None,
            "deployment": "cloud",
            "account_dedicated": True,
            "auth": {"kind": "bearer", "token": "new"},
        }
    ]
    assert service.asked[1].headers["if-match"] == '"3"'


@pytest.mark.parametrize(
    ("known", "option", "sent"),
    [(None, "25", 25), (40, None, 40), (40, "25", 25), (40, "0", None)],
)
def test_a_sites_rate_is_kept_changed_and_dropped(
    line: Line, service: FakeService, known: float | None, option: str | None, sent: float | None
) -> None:
    service.answers["GET /sites/cloud"] = (200, SITE | {"requests_per_second": known})
    service.answers["PUT /sites/cloud"] = (200, SITE | {"findings": []})
    line("site", "put", "cloud", *(() if option is None else ("--rate", option)), "--dedicated")
    assert service.bodies[0].get("requests_per_second") == sent


def test_one_standard_input_holds_one_secret(line: Line, service: FakeService) -> None:
    arguments = ("--token-file", "-", "--webhook-secret-file", "-")
    assert line("site", "put", "cloud", *arguments, input="x").exit_code == 2
    assert service.asked == []


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_a_check_fails_where_the_site_does(
    line: Line, service: FakeService, ok: bool, code: int
) -> None:
    finding = {"code": "account_changed", "severity": "error", "detail": "another account"}
    findings = [] if ok else [finding]
    answer = {"ok": ok, "account_id": "a", "identity": "i", "findings": findings}
    service.answers["POST /sites/cloud/check"] = (200, answer)
    result = line("site", "check", "cloud")
    assert result.exit_code == code
    assert ("account_changed" in result.stdout) is not ok
    assert line.json("site", "check", "cloud") == answer


def test_a_person_lets_calls_go_again(line: Line, service: FakeService) -> None:
    service.answers["POST /sites/cloud/unlock"] = (200, SITE)
    assert line("site", "unlock", "cloud").exit_code == 0
    assert [it.method for it in service.asked] == ["POST"]


def test_what_takes_something_away_asks_first(line: Line, service: FakeService) -> None:
    service.answers["DELETE /connections/main"] = (200, {"released": 4})
    refused = line("connection", "delete", "main")
    assert refused.exit_code == 2
    assert "stay in Jira" in refused.stderr
    assert "--yes" in refused.stderr
    assert service.asked == []
    done = line("connection", "delete", "main", "--yes")
    assert done.exit_code == 0
    assert "4 links were released, none removed" in done.stdout
    for arguments in (
        ("site", "delete", "cloud"),
        ("token", "revoke", "1"),
        ("twins", "remove", "main", "3"),
        ("webhooks", "remove", "cloud", "1"),
    ):
        assert line(*arguments).exit_code == 2


def test_pause_wants_one_or_all(line: Line, service: FakeService) -> None:
    paused = {"paused": True, "paused_at": None, "paused_by": "me"}
    service.answers["POST /pause"] = (200, paused)
    service.answers["POST /connections/main/resume"] = (200, CONNECTION | {"paused": True})
    assert line("pause").exit_code == 2
    assert line("pause", "main", "--all").exit_code == 2
    assert line("pause", "--all").stdout == "everything is paused\n"
    resumed = line("resume", "main")
    assert resumed.stdout == "main is paused\n"
    assert "twinlink resume --all" in resumed.stderr


def test_mode_shows_and_sets(line: Line, service: FakeService) -> None:
    service.answers["GET /connections/main"] = (200, CONNECTION)
    service.answers["PUT /connections/main/mode"] = (200, CONNECTION | {"mode": "live"})
    assert line("mode", "main").stdout == "main is in mode shadow\n"
    assert line("mode", "main", "live").stdout == "main is in mode live\n"
    assert line("mode", "main", "wild").exit_code == 2
    assert service.bodies == [{"mode": "live"}]


def test_the_guard_shows_its_windows(line: Line, service: FakeService) -> None:
    spent = {"limit": 3, "used": 3, "next_at": "2030-01-02", "last_at": "noon", "last_by": "ann"}
    tripped = CONNECTION["guard"] | {"state": "tripped", "reason": "hour", "resets": spent}
    service.answers["POST /connections/main/guard/reset"] = (200, CONNECTION)
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /connections/main"] = (200, CONNECTION | {"guard": tripped})
    said = line("guard", "show", "main").stdout
    assert said.startswith("the guard of main is tripped: hour\n3 of 3 resets used within a day;")
    assert "; the last by ann at noon" in said
    assert "the next is possible at 2030-01-02" in said
    assert line.json("guard", "reset", "main") == CONNECTION["guard"]


def test_a_plan_is_shown_whole(line: Line, service: FakeService) -> None:
    pages = iter([{"changes": [{"n": 1}], "next": "b"}, {"changes": [{"n": 2}], "next": None}])
    service.answers["GET /plans/4"] = lambda _request: httpx.Response(200, json=next(pages))
    assert line.json("plan", "show", "4")["changes"] == [{"n": 1}, {"n": 2}]


EXPLAINED: dict[str, Any] = {
    "state": "managed",
    "origin": "left",
    "authorship": "ours",
    "row": 4,
    "outcome": "in_step",
    "reason": "ours, and in step",
    "left": {"type": "Blocks", "source": {"key": "A-1"}, "destination": {"key": "A-2"}},
    "right": {"type": "Blocks", "source": {"key": "B-7"}, "destination": {"key": "B-9"}},
    "evidence": {"left": {"seen": "present", "link_ids": ["5"]}},
    "history": [
        {
            "at": "T1",
            "operation": "create",
            "status": "applied",
            "site": "dc",
            "cause": {"kind": "webhook", "id": "17"},
        }
    ],
}


def test_explain_asks_wherever_the_issue_has_a_twin(line: Line, service: FakeService) -> None:
    service.answers["GET /connections"] = listed(CONNECTION, CONNECTION | {"name": "other"})
    service.answers["GET /connections/main/explain"] = (200, {"issue": "A-1", "items": [EXPLAINED]})
    service.answers["GET /connections/other/explain"] = problem(404, "twin_unknown")
    result = line("explain", "A-1")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "main\n"
        "  A-1 Blocks A-2 = B-7 Blocks B-9\n"
        "    managed, origin left, author ours\n"
        "    in step: ours, and in step\n"
        "    left: there, link 5\n"
        "    T1 create applied on dc, by webhook 17\n"
    )
    service.answers["GET /connections/main/explain"] = problem(404, "twin_unknown")
    assert line("explain", "A-1").exit_code == 1
    assert line("explain", "A-1", "--connection", "other").exit_code == 1


def test_a_token_is_all_that_its_making_prints(line: Line, service: FakeService) -> None:
    made = {"id": "1", "role": "viewer", "owner": "me", "token": "tl_secret"}
    service.answers["POST /tokens"] = (201, made)
    result = line("token", "create", "viewer", "--owner", "me", "--connection", "main")
    assert result.stdout == "tl_secret\n"
    assert service.bodies == [{"role": "viewer", "owner": "me", "connections": ["main"]}]


def test_every_command_explains_itself(line: Line) -> None:
    top = line("--help").stdout
    for noun in (
        "site",
        "connection",
        "twins",
        "guard",
        "plan",
        "resyncs",
        "failures",
        "audit",
        "webhooks",
        "token",
    ):
        assert noun in top
        assert line(noun, "--help").exit_code == 0


def test_what_is_played_is_one_thing(line: Line) -> None:
    refused = line("up", "--demo", "--drill")
    assert refused.exit_code == 2
    assert "not together with --demo" in refused.output


def test_projects_and_link_types_of_a_site(line: Line, service: FakeService) -> None:
    service.answers["GET /sites/cloud/projects"] = listed({"key": "A"})
    kind = {"id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
    service.answers["GET /sites/cloud/link_types"] = listed(kind)
    assert "is blocked by" in line("site", "types", "cloud").stdout


def test_a_failure_is_dismissed_with_a_reason(line: Line, service: FakeService) -> None:
    service.answers["POST /failures/2/dismissal"] = (200, {})
    assert line("failures", "dismiss", "2").exit_code == 2
    done = line("failures", "dismiss", "2", "--reason", "known")
    assert (done.exit_code, service.bodies) == (0, [{"reason": "known"}])
    service.answers["GET /failures"] = listed()
    line("failures", "--dismissed")
    assert service.asked[-1].url.params["dismissed"] == "true"


def test_another_token_does_not_inherit_the_formers_end(line: Line, service: FakeService) -> None:
    ends = "2030-01-31T00:00:00Z"
    service.answers["GET /sites/cloud"] = (200, SITE | {"token_expires_at": ends})
    service.answers["PUT /sites/cloud"] = (200, SITE | {"findings": []})
    line("site", "put", "cloud", "--rate", "5")
    line("site", "put", "cloud", "--token-file", "-", input="new")
    line("site", "put", "cloud", "--token-file", "-", "--token-expires", ends, input="new")
    assert [body.get("token_expires_at") for body in service.bodies] == [ends, None, ends]


def test_a_value_one_letter_off_is_understood(line: Line) -> None:
    assert "Did you mean 'live'?" in line("mode", "main", "lve").output
    assert "Did you mean" not in line("mode", "main", "xyzzy").output


def test_a_person_asks_for_version_and_help_as_everywhere(line: Line) -> None:
    assert line("--version").stdout == f"twinlink {__version__}\n"
    for arguments in (("-h",), ("site", "-h"), ("site", "put", "-h")):
        assert line(*arguments).exit_code == 0
    assert "--install-completion" in line("-h").stdout


def test_keys_may_be_written_in_lower_case(line: Line, service: FakeService) -> None:
    service.answers["GET /connections/main/links"] = listed()
    line("links", "main", "--issue", "ops-7")
    assert service.asked[-1].url.params["issue"] == "OPS-7"
    refused = line("links", "main", "--issue", "seven")
    assert refused.exit_code == 2
    assert "such as OPS-7" in refused.output


def test_a_dry_run_says_would(line: Line, service: FakeService) -> None:
    dry = RESYNC | {"status": "succeeded", "dry_run": True, "created": 30}
    service.answers["GET /resyncs/7"] = (200, dry)
    assert "would create  30" in line("resyncs", "show", "7").stdout


def test_a_refusal_says_what_to_do(line: Line, service: FakeService) -> None:
    service.answers["GET /sites"] = problem(401, "unauthenticated")
    assert "TWINLINK_API_TOKEN" in line("site", "list").stderr
    errors = [{"pointer": "/link_types/1/right", "detail": "link type 'Related' is not on right"}]
    service.answers["GET /connections"] = problem(422, "validation", errors=errors)
    assert "--link-type 2, right: link type 'Related'" in line("connection", "list").stderr
