"""What a command does with answers, refusals, silence, and settings."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import FakeService, Line, listed, problem
from tests.cli.samples import CONNECTION, RESYNC, SITE, STATUS


def test_a_refusal_keeps_its_pointers(line: Line, service: FakeService) -> None:
    errors = [{"pointer": "/left/site", "detail": "is not known"}]
    service.answers["PUT /connections/main/mode"] = problem(
        422, "validation", detail="Two of them", errors=errors
    )
    result = line("mode", "main", "live", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "twinlink: It cannot be: Two of them (validation)\n  --left: is not known\n  request r-1\n"
    )


def test_silence_is_told_from_refusal(line: Line, service: FakeService) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    service.answers["GET /sites"] = nobody
    result = line("site", "list")
    assert result.exit_code == 1
    assert "no answer from http://127.0.0.1:8080" in result.stderr
    assert "twinlink up" in result.stderr


def test_an_answer_that_is_not_ours_is_named(line: Line, service: FakeService) -> None:
    service.answers["GET /sites"] = lambda _request: httpx.Response(200, text="<html>")
    assert "is not Twinlink" in line("site", "list").stderr
    service.answers["GET /sites"] = lambda _request: httpx.Response(502, text="<html>")
    assert "502 Bad Gateway" in line("site", "list").stderr


def test_a_bad_variable_is_a_usage_error_that_names_it(line: Line) -> None:
    line.env["TWINLINK_PROT"] = "1"
    result = line("status")
    assert result.exit_code == 2
    assert "TWINLINK_PROT: is not a setting of Twinlink; did you mean TWINLINK_PORT?" in (
        result.stderr
    )


def test_without_a_token_nothing_is_sent(line: Line, service: FakeService) -> None:
    del line.env["TWINLINK_API_TOKEN"]
    result = line("status")
    assert result.exit_code == 2
    assert "TWINLINK_API_TOKEN" in result.stderr
    assert service.asked == []


def test_tokens_in_their_order(line: Line, service: FakeService) -> None:
    service.answers["GET /sites"] = listed()
    line.env["TWINLINK_ADMIN_TOKEN"] = "a" * 20
    line("site", "list")
    del line.env["TWINLINK_API_TOKEN"]
    line("site", "list")
    sent = [request.headers["authorization"] for request in service.asked]
    assert sent == [f"Bearer {'t' * 20}", f"Bearer {'a' * 20}"]


def _running(directory: Path) -> None:
    told = {"api_url": "http://127.0.0.1:4711", "admin_token": "l" * 20, "port": "4711"}
    (directory / "running.json").write_text(json.dumps(told))


def test_what_runs_here_is_found(line: Line, service: FakeService, tmp_path: Path) -> None:
    _running(tmp_path)
    service.answers["GET /sites"] = listed()
    del line.env["TWINLINK_API_TOKEN"]
    assert line("site", "list").exit_code == 0
    assert service.asked[0].url.port == 4711
    assert service.asked[0].headers["authorization"] == f"Bearer {'l' * 20}"


def test_another_service_is_not_shown_the_token(
    line: Line, service: FakeService, tmp_path: Path
) -> None:
    _running(tmp_path)
    del line.env["TWINLINK_API_TOKEN"]
    line.env["TWINLINK_API_URL"] = "https://elsewhere.example.org"
    assert line("site", "list").exit_code == 2
    assert service.asked == []


def test_a_file_of_another_version_is_passed_over(line: Line, tmp_path: Path) -> None:
    del line.env["TWINLINK_API_TOKEN"]
    for text in ("", "[]", '{"unheard": "of"}'):
        (tmp_path / "running.json").write_text(text)
        assert "no token" in line("site", "list").stderr


def test_lists_follow_the_cursor_up_to_the_limit(line: Line, service: FakeService) -> None:
    pages = {None: ([1] * 1000, "b"), "b": ([2] * 200, "c")}

    def page(request: httpx.Request) -> httpx.Response:
        items, following = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"items": items, "next": following})

    service.answers["GET /sites"] = page
    found = line.json("site", "list", "--limit", "1200")
    assert len(found["items"]) == 1200
    assert found["next"] == "c"
    assert [request.url.params["limit"] for request in service.asked] == ["1000", "200"]


def test_a_name_that_is_none_never_becomes_an_address(line: Line, service: FakeService) -> None:
    for name in ("../sites", "a/b", "a?b", "A", ""):
        assert line("connection", "show", name).exit_code == 2
    assert service.asked == []


def test_what_others_wrote_does_not_steer_the_terminal(line: Line, service: FakeService) -> None:
    service.answers["GET /sites"] = listed(SITE | {"identity": "\x1b[2Jgone [bold]x[/bold]"})
    shown = line("site", "list").stdout
    assert "\x1b" not in shown
    assert "gone [bold]x[/bold]" in shown


def test_status_says_quiet_only_when_it_is(line: Line, service: FakeService) -> None:
    service.answers["GET /connections"] = listed(CONNECTION)
    service.answers["GET /incidents"] = listed()
    service.answers["GET /workers"] = listed()
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /deliveries"] = listed({"received_at": "2026-11-28T06:38:37Z"})
    service.answers["GET /resyncs"] = listed(
        RESYNC | {"dry_run": True, "finished_at": "2026-11-28T09:00:00Z"},
        RESYNC | {"dry_run": False, "finished_at": "2026-11-28T03:00:00Z"},
    )
    assert line.json("status")["items"][0]["quiet"] is True
    service.answers["GET /connections/main/status"] = (200, STATUS | {"delayed": 1})
    assert line.json("status")["items"][0]["quiet"] is False
    assert "armed" in line("status").stdout


def test_status_says_when_each_site_last_delivered_and_each_connection_was_compared(
    line: Line, service: FakeService
) -> None:
    service.answers["GET /connections"] = listed(CONNECTION)
    service.answers["GET /incidents"] = listed()
    service.answers["GET /workers"] = listed()
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /deliveries"] = listed({"received_at": "2026-11-28T06:38:37Z"})
    service.answers["GET /resyncs"] = listed(
        RESYNC | {"dry_run": True, "finished_at": "2026-11-28T09:00:00Z"},
        RESYNC | {"dry_run": False, "finished_at": "2026-11-28T03:00:00Z"},
    )
    found = line.json("status")
    assert found["sites"] == [{"site": "cloud", "last_delivery_at": "2026-11-28T06:38:37Z"}]
    assert found["items"][0]["last_comparison_at"] == "2026-11-28T03:00:00Z"
    service.answers["GET /deliveries"] = service.answers["GET /resyncs"] = listed()
    found = line.json("status")
    assert found["sites"][0]["last_delivery_at"] is None
    assert found["items"][0]["last_comparison_at"] is None


def test_status_says_what_is_wrong(line: Line, service: FakeService) -> None:
    """Whoever looks whether it is behind has to see that it stands still on purpose."""
    wrong = {"id": "3", "impact": "major", "state": "investigating", "title": "It went back"}
    service.answers["GET /connections"] = listed(CONNECTION)
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /deliveries"] = listed({"received_at": "2026-11-28T06:38:37Z"})
    service.answers["GET /resyncs"] = listed(
        RESYNC | {"dry_run": True, "finished_at": "2026-11-28T09:00:00Z"},
        RESYNC | {"dry_run": False, "finished_at": "2026-11-28T03:00:00Z"},
    )
    service.answers["GET /incidents"] = listed(wrong)
    service.answers["GET /workers"] = listed()
    assert "incident 3, major: It went back (investigating)" in line("status").stderr
    assert line.json("status")["incidents"] == [wrong]
    assert service.asked[-1].url.params["state"] == "open"


@pytest.mark.parametrize(
    ("arguments", "path", "code", "listing"),
    [
        (("site", "show", "clod"), "GET /sites/clod", "site_unknown", "/sites"),
        (("connection", "show", "mian"), "GET /connections/mian", "connection_unknown", None),
        (("guard", "show", "mian"), "GET /connections/mian", "connection_unknown", None),
    ],
)
def test_a_name_that_is_a_letter_off_is_answered_with_the_one_that_was_meant(
    line: Line, service: FakeService, arguments: tuple[str, ...], path: str, code: str,
    listing: str | None,
) -> None:  # fmt: skip
    service.answers[path] = problem(404, code)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /connections"] = listed(CONNECTION)
    refused = line(*arguments)
    assert refused.exit_code == 1
    assert f"did you mean '{'cloud' if listing else 'main'}'?" in refused.stderr


def test_a_wrong_site_of_a_new_connection_too(line: Line, service: FakeService) -> None:
    errors = [{"pointer": "/left/site", "detail": "there is no such site"}]
    service.answers["GET /connections/new"] = problem(404, "connection_unknown")
    service.answers["PUT /connections/new"] = problem(422, "validation", errors=errors)
    service.answers["GET /sites"] = listed(SITE)
    refused = line(
        *("connection", "put", "new", "--left", "clod:A", "--right", "dc:B"),
        *("--direction", "both", "--link-type", "Blocks"),
    )
    assert "did you mean 'cloud'?" in refused.stderr
    assert "--left: there is no such site" in refused.stderr


def test_an_empty_list_of_an_unknown_connection_says_so(line: Line, service: FakeService) -> None:
    service.answers["GET /plans"] = listed()
    service.answers["GET /connections/mian"] = problem(404, "connection_unknown")
    service.answers["GET /connections"] = listed(CONNECTION)
    refused = line("plan", "list", "--connection", "mian")
    assert (refused.exit_code, "did you mean 'main'?" in refused.stderr) == (1, True)


def test_what_cannot_be_listed_is_no_second_fault(line: Line, service: FakeService) -> None:
    service.answers["GET /sites/clod"] = problem(404, "site_unknown")
    service.answers["GET /sites"] = problem(403, "forbidden")
    refused = line("site", "show", "clod")
    assert "site_unknown" in refused.stderr
    assert "forbidden" not in refused.stderr


def test_a_word_that_is_none_of_the_choices_too(line: Line, service: FakeService) -> None:
    detail = "Input should be 'investigating', 'identified', 'monitoring' or 'resolved'"
    errors = [{"pointer": "/state", "detail": detail}]
    service.answers["POST /incidents/3/updates"] = problem(422, "validation", errors=errors)
    refused = line("incident", "update", "3", "seen", "--state", "resolvd")
    assert "did you mean 'resolved'?" in refused.stderr
    refused = line("plan", "list", "--status", "hled")
    assert (refused.exit_code, "Did you mean 'held'?" in refused.stderr) == (2, True)


def test_the_connection_of_a_restore_too(line: Line, service: FakeService) -> None:
    errors = [{"pointer": "/connection", "detail": "there is no such connection"}]
    service.answers["POST /restores"] = problem(422, "validation", errors=errors)
    service.answers["GET /connections"] = listed(CONNECTION)
    refused = line("restore", "--connection", "mian", "--since", "1h")
    assert "did you mean 'main'?" in refused.stderr


def test_the_type_of_no_link_too(line: Line, service: FakeService) -> None:
    service.answers["GET /connections/main/links"] = listed()
    service.answers["GET /connections/main"] = (200, CONNECTION)
    refused = line("links", "main", "--type", "Blocs")
    assert (refused.exit_code, "did you mean 'Blocks'?" in refused.stderr) == (1, True)
    assert line("links", "main", "--type", "blocks").exit_code == 0


def test_a_remedy_can_be_copied_as_it_is(line: Line, service: FakeService) -> None:
    service.answers["POST /connections/main/rollback"] = problem(404, "revision_unknown")
    assert "  twinlink connection revisions main\n" in line("rollback", "main", "--to", "9").stderr
    assert "'ID': it must be a whole number" in line("plan", "show", "third").stderr
