"""How a site lets us in, is reached and delivers, and where it has moved to: what is sent."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import FakeService, Line
from tests.cli.samples import SITE

FULL: dict[str, Any] = SITE | {
    "token_expires_at": "2030-01-31T00:00:00Z",
    "webhook_basic": False,
    "ca_certificates": None,
    "proxy": {"kind": "installation"},
}


@pytest.fixture
def site(service: FakeService) -> FakeService:
    service.answers["GET /sites/cloud"] = (200, FULL)
    service.answers["PUT /sites/cloud"] = (200, FULL | {"findings": []})
    return service


def sent(site: FakeService) -> dict[str, Any]:
    body: dict[str, Any] = site.bodies[-1]
    return body


def test_a_second_token_keeps_the_first_and_its_end(
    line: Line, site: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "second").write_text("another\n")
    result = line("site", "sign-in", "cloud", "--second-token-file", str(tmp_path / "second"))
    assert result.exit_code == 0, result.output
    assert sent(site)["auth"] == {"kind": "basic", "second_token": "another"}
    assert sent(site)["token_expires_at"] == FULL["token_expires_at"]
    assert sent(site)["proxy"] == {"kind": "installation"}
    assert "another" not in result.output


def test_client_credentials_end_what_was_known_of_the_token(line: Line, site: FakeService) -> None:
    result = line(
        "site", "sign-in", "cloud", "--client-id", "c-1", "--client-secret-file", "-",
        input="hidden",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sent(site)["auth"] == {"kind": "oauth", "client_id": "c-1", "client_secret": "hidden"}
    assert "token_expires_at" not in sent(site)


def test_a_way_of_its_own(line: Line, site: FakeService, tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("PEM")
    (tmp_path / "proxy").write_text("http://proxy.example.org:3128")
    line("site", "network", "cloud", "--ca-file", str(tmp_path / "ca"), "--proxy-file",
         str(tmp_path / "proxy"))  # fmt: skip
    assert sent(site)["ca_certificates"] == "PEM"
    assert sent(site)["proxy"] == {"kind": "own", "url": "http://proxy.example.org:3128"}
    line("site", "network", "cloud", "--direct", "--ca-file", "")
    assert sent(site)["proxy"] == {"kind": "direct"}
    assert "ca_certificates" not in sent(site)
    assert line("site", "network", "cloud").exit_code == 2
    assert line("site", "network", "cloud", "--direct", "--installation").exit_code == 2


@pytest.mark.parametrize(("kind", "part"), [("basic", "token"), ("oauth", "client_secret")])
def test_new_authorities_bring_the_secret_again(
    line: Line, site: FakeService, tmp_path: Path, kind: str, part: str
) -> None:
    site.answers["GET /sites/cloud"] = (200, FULL | {"auth": {"kind": kind}})
    (tmp_path / "ca").write_text("PEM")
    (tmp_path / "token").write_text("hidden\n")
    result = line("site", "network", "cloud", "--ca-file", str(tmp_path / "ca"), "--token-file",
                  str(tmp_path / "token"))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sent(site)["auth"] == {"kind": kind, part: "hidden"}
    assert sent(site)["token_expires_at"] == FULL["token_expires_at"]
    assert "hidden" not in result.output


def test_new_authorities_bring_the_webhook_secret_again(
    line: Line, site: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "ca").write_text("PEM")
    (tmp_path / "hook").write_text("hidden\n")
    result = line("site", "network", "cloud", "--ca-file", str(tmp_path / "ca"),
                  "--webhook-secret-file", str(tmp_path / "hook"))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sent(site)["webhook_secret"] == "hidden"
    assert "hidden" not in result.output


def test_basic_webhooks_are_allowed_and_refused(line: Line, site: FakeService) -> None:
    line("site", "basic-webhooks", "cloud", "--allow")
    assert sent(site)["webhook_basic"] is True
    line("site", "basic-webhooks", "cloud", "--refuse")
    assert sent(site)["webhook_basic"] is False


def test_rehome_shows_each_plan_and_waits_for_owners(
    line: Line, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.client.follow.pause", lambda: None)
    made = {"id": "4", "former": "main", "connection": "main-cloud", "plan_id": "9"}
    shown = made | {"status": "held", "twins": 3, "rows": 2, "carried": 0, "left": 1}
    service.answers["POST /sites/dc/rehomings"] = (202, {"items": [made]})
    service.answers["GET /sites/dc/rehomings"] = (200, {"items": [shown], "next": None})
    result = line("site", "rehome", "dc", "cloud", "--connection", "main")
    assert result.exit_code == 3, result.output
    assert service.bodies == [{"to": "cloud", "connection": "main"}]
    assert "main-cloud" in result.stdout
