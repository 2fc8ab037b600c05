"""The environment is read once, in one place, and never misunderstood in silence."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.settings import (
    Problem,
    Settings,
    SettingsError,
    default_data_dir,
    load_settings,
    variables,
)

ROOT = Path(__file__).parent.parent


def problems_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[Problem, ...]:
    for name, value in environment.items():
        monkeypatch.setenv(f"TWINLINK_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.problems


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert settings.read_only is False
    assert (settings.claim_size, settings.sweep_seconds, settings.poll_delay_seconds) == (
        100,
        5.0,
        1.0,
    )


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLINK_DATABASE_URL", "")
    monkeypatch.setenv("TWINLINK_PORT", "")
    settings = load_settings()
    assert settings.database_url is None
    assert settings.port == 8080


def test_values_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "a" * 32, "b" * 32
    monkeypatch.setenv("TWINLINK_SECRET_KEY", f"{first}, {second}")
    monkeypatch.setenv("TWINLINK_READ_ONLY", "1")
    monkeypatch.setenv("TWINLINK_WORKER_PORT", "9100")
    monkeypatch.setenv("TWINLINK_PUBLIC_URL", "https://links.example.org/")
    settings = load_settings()
    assert [key.get_secret_value() for key in settings.secret_key] == [first, second]
    assert settings.read_only is True
    assert settings.worker_port == 9100
    assert settings.public_url == "https://links.example.org"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().read_only = False  # type: ignore[misc]


def test_the_owner_migrates_where_roles_are_split() -> None:
    run = SecretStr("postgresql://run@db/twinlink")
    owner = SecretStr("postgresql://owner@db/twinlink")
    assert Settings(database_url=run).migrations_url == run
    assert Settings(database_url=run, migrate_database_url=owner).migrations_url == owner


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PORT", "eighty", "integer"),
        ("PORT", "70000", "65535"),
        ("DATABASE_URL", "mysql://u:hunter2@db/x", "postgresql://"),
        ("REDIS_URL", "http://:hunter2@db", "redis://"),
        ("SECRET_KEY", "hunter2", "32 characters"),
        ("ADMIN_TOKEN", "hunter2", "16"),
        ("METRICS_TOKEN", "hunter2", "16"),
        ("READ_ONLY", "hunter2", "boolean"),
        ("CA_FILE", "/nowhere/hunter2.pem", "file"),
        ("HTTPS_PROXY", "socks5://u:hunter2@proxy", "http://"),
        ("PUBLIC_URL", "hunter2", "https://"),
        ("LOG_LEVEL", "loud", "'debug'"),
        ("JIRA_TIMEOUT_SECONDS", "31", "30"),
    ],
)
def test_a_bad_value_names_its_variable_and_not_itself(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    (problem,) = problems_of(monkeypatch, **{name: value})
    assert problem.variable == f"TWINLINK_{name}"
    assert reason in problem.reason
    assert "hunter2" not in str(SettingsError((problem,)))


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems_of(monkeypatch, PORT="x", CLAIM_SIZE="0", REDISURL="redis://r")
    assert {p.variable for p in found} == {
        "TWINLINK_PORT",
        "TWINLINK_CLAIM_SIZE",
        "TWINLINK_REDISURL",
    }


def test_a_misspelt_switch_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems_of(monkeypatch, READONLY="1")
    assert problem.variable == "TWINLINK_READONLY"
    assert "did you mean TWINLINK_READ_ONLY?" in problem.reason


def test_pool_bounds_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems_of(monkeypatch, DB_POOL_MIN="5", DB_POOL_MAX="4")
    assert "TWINLINK_DB_POOL_MAX" in problem.reason


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "MIGRATE_DATABASE_URL"):
        monkeypatch.setenv(f"TWINLINK_{name}", "postgresql://u:hunter2@db/x")
    monkeypatch.setenv("TWINLINK_REDIS_URL", "redis://:hunter2@db/0")
    for name in ("ADMIN_TOKEN", "METRICS_TOKEN", "SECRET_KEY", "API_TOKEN"):
        monkeypatch.setenv(f"TWINLINK_{name}", "hunter2" * 5)
    settings = load_settings()
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_data_live_where_the_system_keeps_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_data_dir({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "twinlink"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_dir({"XDG_STATE_HOME": str(tmp_path)}) == Path("/var/lib/twinlink")


def test_the_example_documents_exactly_the_settings() -> None:
    text = (ROOT / ".env.example").read_text()
    documented = re.findall(r"^# (TWINLINK_[A-Z_]+)=", text, flags=re.MULTILINE)
    assert documented == list(variables())


def test_the_example_shows_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text()
    fields = Settings.model_fields
    for name, shown in re.findall(r"^# TWINLINK_([A-Z_]+)=(.+)$", text, flags=re.MULTILINE):
        default = fields[name.lower()].default
        if isinstance(default, bool):
            assert shown == str(int(default)), name
        elif isinstance(default, int | float | str):
            assert shown == str(default), name


def reads_environment(source: str) -> bool:
    """Whether this source touches `os.environ`, `os.getenv` or their like."""
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) if name in names:
                return True
            case ast.ImportFrom(module="os", names=imported):
                if any(alias.name in names for alias in imported):
                    return True
            case _:
                pass
    return False


def test_the_scan_sees_each_way_to_read_the_environment() -> None:
    assert reads_environment("import os\nx = os.environ['A']")
    assert reads_environment("import os\nx = os.getenv('A')")
    assert reads_environment("from os import environ as e")
    assert not reads_environment("import os\nx = os.getpid()")


def test_nothing_else_reads_the_environment() -> None:
    sources = [*ROOT.glob("app/**/*.py"), *ROOT.glob("workers/**/*.py")]
    readers = {p.relative_to(ROOT).as_posix() for p in sources if reads_environment(p.read_text())}
    assert readers == {"app/settings.py"}


def test_a_token_that_is_too_short_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLINK_ADMIN_TOKEN", "short")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    [problem] = caught.value.problems
    assert problem.reason == "must have at least 16 characters"
