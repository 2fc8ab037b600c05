"""`twinlink open` and `twinlink status --watch`."""

import pytest

from app.cli.output import output
from tests.cli.conftest import FakeService, Line, listed
from tests.cli.samples import CONNECTION, RESYNC, SITE, STATUS


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ((), "/"),
        (("ops-7",), "/explore?issue=OPS-7"),
        (("OPS-7",), "/explore?issue=OPS-7"),
        (("main",), "/connections/main"),
        (("plan", "7"), "/plans/7"),
        (("plan",), "/plans"),
        (("rescue", "3"), "/rescues/3"),
        (("status",), "/status"),
    ],
)
def test_a_thing_has_an_address(line: Line, asked: tuple[str, ...], path: str) -> None:
    shown = line("open", *asked)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.strip().endswith(path)
    assert shown.stdout.startswith("http")
    assert line.json("open", *asked)["url"] == shown.stdout.strip()


@pytest.mark.parametrize("asked", [("main", "7"), ("No such thing",)])
def test_what_has_none_is_refused(line: Line, asked: tuple[str, ...]) -> None:
    assert line("open", *asked).exit_code == 2


def test_status_is_shown_again_until_it_is_stopped(
    line: Line, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers["GET /connections"] = listed(CONNECTION)
    service.answers["GET /connections/main/status"] = (200, STATUS)
    service.answers["GET /sites"] = listed(SITE)
    service.answers["GET /deliveries"] = listed({"received_at": "2026-11-28T06:38:37Z"})
    service.answers["GET /resyncs"] = listed(
        RESYNC | {"dry_run": True, "finished_at": "2026-11-28T09:00:00Z"},
        RESYNC | {"dry_run": False, "finished_at": "2026-11-28T03:00:00Z"},
    )
    service.answers["GET /workers"] = listed()
    service.answers["GET /incidents"] = listed()
    looks = iter([None, None])

    def clear() -> None:
        if next(looks, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(output, "clear", clear)
    monkeypatch.setattr("app.cli.commands.status._EVERY_SECONDS", 0)
    shown = line("status", "--watch")
    assert shown.exit_code == 0
    assert shown.stdout.count("main") == 2
    assert line("status", "--watch", "--json").exit_code == 2
