"""`twinlink rollback`: one call, and what it says."""

import pytest

from tests.cli.conftest import FakeService, Line, problem

DONE = {
    "revision": 5,
    "rolled_back_to": 3,
    "mode": "live",
    "paused": False,
    "plan_id": None,
}


def test_back_to_an_earlier_revision(line: Line, service: FakeService) -> None:
    service.answers["POST /connections/main/rollback"] = (200, DONE)
    result = line("rollback", "main", "--to", "3")
    assert result.exit_code == 0
    assert result.stdout == "main is now at revision 5, which is equal to revision 3\n"
    assert result.stderr == ""
    assert service.bodies == [{"revision": 3, "undo": False, "note": ""}]


@pytest.mark.parametrize(
    ("plan", "said"), [("8", "plan show 8"), (None, "there are no writes since then")]
)
def test_with_an_undo(line: Line, service: FakeService, plan: str | None, said: str) -> None:
    service.answers["POST /connections/main/rollback"] = (200, DONE | {"plan_id": plan})
    result = line("rollback", "main", "--to", "3", "--undo", "--note", "too wide")
    assert result.exit_code == 0
    assert said in result.stderr
    assert service.bodies == [{"revision": 3, "undo": True, "note": "too wide"}]
    assert line.json("rollback", "main", "--to", "3", "--undo")["plan_id"] == plan


def test_refusals_are_said(line: Line, service: FakeService) -> None:
    gone = {"pointer": "/revision", "detail": "Relates is no link type of the left site now"}
    service.answers["POST /connections/main/rollback"] = problem(
        409, "link_types_gone", errors=[gone]
    )
    result = line("rollback", "main", "--to", "3")
    assert result.exit_code == 1
    assert "link_types_gone" in result.stderr
    assert "Relates" in result.stderr
    for wrong in (("main",), ("main", "--to", "0"), ("Main", "--to", "1")):
        assert line("rollback", *wrong).exit_code == 2
    assert len(service.asked) == 1
