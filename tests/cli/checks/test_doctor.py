"""`twinlink doctor`: what it asks the API, and the one command that it ends with."""

from pathlib import Path

import pytest

from tests.cli.conftest import FakeService, Line, listed, problem
from tests.cli.samples import CONNECTION, RESYNC, SITE

SEEN = "2026-11-28T06:38:37Z"


def _service(service: FakeService) -> None:
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /connections"] = listed(CONNECTION)
    checked = {"ok": True, "account_id": "a", "identity": "i", "findings": []}
    service.answers["POST /sites/cloud/check"] = (200, checked)
    service.answers["GET /deliveries"] = listed({"received_at": SEEN})
    service.answers["GET /resyncs"] = listed(RESYNC | {"finished_at": SEEN})


def _checks(line: Line) -> dict[str, tuple[str, str, str]]:
    found = line.json("doctor")["checks"]
    return {it["name"]: (it["status"], it["detail"], it["command"]) for it in found}


def test_a_fresh_machine_is_led_to_its_first_command(
    line: Line, service: FakeService, tmp_path: Path
) -> None:
    del line.env["TWINLINK_API_TOKEN"]
    told = line("doctor")
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1] == "next: twinlink up"
    assert "`twinlink up` makes one" in told.stdout
    assert service.asked == []


def test_it_says_when_each_site_delivered_and_each_connection_was_compared(
    line: Line, service: FakeService
) -> None:
    _service(service)
    found = _checks(line)
    assert found["deliveries of cloud"] == ("ok", f"the last at {SEEN}", "")
    assert found["comparison of main"] == ("ok", f"the last ended at {SEEN}", "")
    assert "connections" not in found


def test_silence_is_named_with_what_to_type(line: Line, service: FakeService) -> None:
    _service(service)
    service.answers["GET /deliveries"] = service.answers["GET /resyncs"] = listed()
    found = _checks(line)
    assert found["deliveries of cloud"][0] == "warn"
    assert found["deliveries of cloud"][2] == "twinlink webhooks list cloud"
    assert found["comparison of main"] == ("warn", "none yet", "twinlink resync main")
    service.answers["GET /connections"] = listed()
    found = _checks(line)
    assert "deliveries of cloud" not in found, "no connection joins it: nothing is expected of it"
    assert found["connections"] == ("ok", "none yet", "twinlink init")


@pytest.mark.parametrize("status", [401, 503])
def test_a_refusing_api_is_a_warning(line: Line, service: FakeService, status: int) -> None:
    service.answers["GET /sites"] = problem(status, "unauthenticated")
    assert _checks(line)["api"][0] == "warn"
