"""Importing twins: every row is accounted for."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.process.exit_code import ExitCode
from tests.cli.conftest import FakeService, Line, listed, problem

PATH = "/connections/main/twins"


def pairing(statuses: dict[str, str]) -> Any:
    """Answers a pairing as the service does; by left key, `paired` where nothing is said."""

    def answer(request: httpx.Request) -> httpx.Response:
        items = [
            {"id": None, **pair, "status": statuses.get(pair["left"], "paired"), "detail": "why"}
            for pair in json.loads(request.content)["twins"]
        ]
        return httpx.Response(200, json={"items": items})

    return answer


def test_rows_go_in_chunks_and_in_order(line: Line, service: FakeService, tmp_path: Path) -> None:
    rows = "\n".join(f"A-{n},B-{n}" for n in range(1, 2002))
    (tmp_path / "twins.csv").write_text(f"\ufeffleft,right\n{rows}\n", encoding="utf-8")
    service.answers[f"POST {PATH}"] = pairing({})
    report = line.json("twins", "import", "main", str(tmp_path / "twins.csv"))
    assert report["counts"] == {"paired": 2001}
    assert [len(body["twins"]) for body in service.bodies] == [1000, 1000, 1]
    assert service.bodies[2] == {"twins": [{"left": "A-2001", "right": "B-2001"}]}


def test_bad_rows_are_named_by_line_and_the_others_are_paired(
    line: Line, service: FakeService
) -> None:
    service.answers[f"POST {PATH}"] = pairing({"A-2": "unknown_issue", "A-5": "unchanged"})
    text = 'left,right\nA-1,B-1\nA-2,B-2\n\nA-3\n"A-4","B-4","x"\nA-5,B-5\n,B-6\n'
    result = line("twins", "import", "main", "-", input=text)
    assert result.exit_code == 1
    assert result.stdout == "3 malformed, 1 paired, 1 unchanged, 1 unknown_issue\n"
    assert "line 3: A-2,B-2: unknown_issue (why)\n" in result.stderr
    for number in (5, 6, 8):
        assert f"line {number}: " in result.stderr
    assert [twin["left"] for twin in service.bodies[0]["twins"]] == ["A-1", "A-2", "A-5"]


def test_what_was_not_sent_is_said(line: Line, service: FakeService) -> None:
    first = pairing({})

    def then_gone(request: httpx.Request) -> httpx.Response:
        if len(service.asked) == 1:
            return first(request)  # type: ignore[no-any-return]
        raise httpx.ReadError("gone", request=request)

    service.answers[f"POST {PATH}"] = then_gone
    text = "".join(f"A-{n},B-{n}\n" for n in range(1, 1502))
    result = line("twins", "import", "main", "-", "--json", input=text)
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["counts"] == {"paired": 1000}
    assert report["unsent_from_line"] == 1001
    assert "ReadError" in report["stopped"]


def test_a_refusal_before_anything_was_told_is_plain(line: Line, service: FakeService) -> None:
    service.answers[f"POST {PATH}"] = problem(404, "connection_unknown")
    result = line("twins", "import", "main", "-", input="A-1,B-1\n")
    assert result.exit_code == 1
    assert "connection_unknown" in result.stderr
    assert result.stdout == ""


def test_text_that_is_no_csv_stops_there(line: Line, service: FakeService) -> None:
    service.answers[f"POST {PATH}"] = pairing({})
    result = line("twins", "import", "main", "-", input='A-1,B-1\n"A-2,B-2\nA-3,B-3\n')
    assert result.exit_code == 1
    assert "1 paired; lines from" in result.stdout
    assert "this is not CSV" in result.stdout


@pytest.mark.parametrize("text", ["Left;Right\na-1;B-1\n", "A-1\tB-1\n", "LEFT,RIGHT\na-1,b-1"])
def test_it_reads_what_spreadsheets_write(line: Line, service: FakeService, text: str) -> None:
    service.answers[f"POST {PATH}"] = pairing({})
    assert line("twins", "import", "main", "-", input=text).stdout == "1 paired\n"
    assert service.bodies == [{"twins": [{"left": "A-1", "right": "B-1"}]}]


def test_an_empty_file_is_fine(line: Line, service: FakeService) -> None:
    assert line("twins", "import", "main", "-", input="left,right\n").stdout == "no rows\n"
    assert service.asked == []


def test_an_export_is_what_import_takes(line: Line, service: FakeService, tmp_path: Path) -> None:
    service.answers[f"GET {PATH}"] = listed(
        {"id": "1", "left": "A-1", "right": "B-1"}, {"id": "2", "left": "A-2", "right": "B-2"}
    )
    service.answers[f"POST {PATH}"] = pairing({})
    target = tmp_path / "twins.csv"
    assert line("twins", "export", "main", str(target)).exit_code == 0
    assert target.read_text() == "left,right\nA-1,B-1\nA-2,B-2\n"
    assert line.json("twins", "import", "main", str(target))["counts"] == {"paired": 2}
    rows = line("twins", "export", "main", "--json").stdout.splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["1", "2"]


def test_unpairing_by_the_key_of_an_issue(line: Line, service: FakeService) -> None:
    service.answers[f"GET {PATH}"] = listed({"id": "9", "left": "A-1", "right": "B-1"})
    service.answers[f"DELETE {PATH}/9"] = (200, {"released": 3})
    result = line("twins", "remove", "main", "A-1", "--yes")
    assert "3 links were released, none removed" in result.stdout
    service.answers[f"DELETE {PATH}/4"] = (200, {"released": 0, "held": 12, "plan_id": "9"})
    held = line("twins", "remove", "main", "4", "--yes")
    assert held.exit_code == ExitCode.HELD
    assert "twinlink plan show 9" in held.stderr
    service.answers[f"GET {PATH}"] = listed()
    assert line("twins", "remove", "main", "A-1", "--yes").exit_code == 1
