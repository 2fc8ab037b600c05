"""Following a resync: over its events, over a break, to the right exit code."""

import json

import httpx
import pytest

from app.cli.client import follow
from tests.cli.conftest import FakeService, Line, problem
from tests.cli.samples import RESYNC

ACCEPTED = (202, {"id": "7", "status": "queued"})


def stream(*statuses: str) -> httpx.Response:
    """As the service tells it: named events, comments to keep the line open."""
    events = "".join(
        f"event: progress\r\ndata: {json.dumps(RESYNC | {'status': status})}\r\n\r\n: ping\r\n\r\n"
        for status in statuses
    )
    return httpx.Response(200, text=events, headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize(
    ("status", "code"), [("succeeded", 0), ("held", 3), ("failed", 1), ("cancelled", 1)]
)
def test_the_exit_code_says_how_it_ended(
    line: Line, service: FakeService, status: str, code: int
) -> None:
    service.answers["POST /connections/main/resyncs"] = ACCEPTED
    service.answers["GET /resyncs/7"] = (200, RESYNC)
    service.answers["GET /resyncs/7/events"] = lambda _request: stream("running", status)
    result = line("resync", "main", "--issue", "A-1", "--issue", "B-2", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["status"] == status
    assert service.bodies == [{"dry_run": False, "issues": ["A-1", "B-2"]}]


def test_a_broken_stream_is_taken_up_again(
    line: Line, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_SECONDS", 0.0)
    breaks = iter(["connect", "cut", "end"])

    def events(request: httpx.Request) -> httpx.Response:
        match next(breaks):
            case "connect":
                raise httpx.ConnectError("down", request=request)
            case "cut":
                return stream("running")
            case _:
                return stream("running", "succeeded")

    service.answers["POST /connections/main/resyncs"] = ACCEPTED
    service.answers["GET /resyncs/7"] = (200, RESYNC)
    service.answers["GET /resyncs/7/events"] = events
    assert line("resync", "main").exit_code == 0
    assert service.lines.count("GET /api/v1/resyncs/7/events") == 3


def test_giving_up_says_that_it_goes_on(
    line: Line, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_SECONDS", 0.0)

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    service.answers["POST /connections/main/resyncs"] = ACCEPTED
    service.answers["GET /resyncs/7"] = gone
    result = line("resync", "main")
    assert result.exit_code == 1
    assert "resync 7 goes on in the service: twinlink resyncs show 7" in result.stderr


def test_nobody_has_to_wait(line: Line, service: FakeService) -> None:
    service.answers["POST /connections/main/resyncs"] = ACCEPTED
    result = line("resync", "main", "--no-wait", "--dry-run")
    assert result.stdout == "resync 7 is queued\n"
    assert service.bodies == [{"dry_run": True}]


def test_a_resync_that_is_over_cannot_be_cancelled(line: Line, service: FakeService) -> None:
    service.answers["POST /resyncs/7/cancel"] = problem(409, "resync_over")
    assert line("resyncs", "cancel", "7").exit_code == 1
    assert line("resyncs", "cancel", "0").exit_code == 2
