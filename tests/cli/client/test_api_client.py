"""What a command does with answers, refusals, silence, and settings."""

import json
from pathlib import Path

import httpx

from tests.cli.conftest import FakeService, Line, listed, problem
from tests.cli.samples import CONNECTION, SITE, STATUS


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
    assert line.json("status")["items"][0]["quiet"] is True
    service.answers["GET /connections/main/status"] = (200, STATUS | {"delayed": 1})
    assert line.json("status")["items"][0]["quiet"] is False
    assert "armed" in line("status").stdout


def test_status_says_what_is_wrong(line: Line, service: FakeService) -> None:
    """Whoever looks whether it is behind has to see that it stands still on purpose."""
    wrong = {"id": "3", "impact": "major", "state": "investigating", "title": "It went back"}
    service.answers["GET /connections"] = listed(CONNECTION)
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /incidents"] = listed(wrong)
    service.answers["GET /workers"] = listed()
    assert "incident 3, major: It went back (investigating)" in line("status").stderr
    assert line.json("status")["incidents"] == [wrong]
    assert service.asked[-1].url.params["state"] == "open"
