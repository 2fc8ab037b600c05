"""What `up` keeps on its machine: made once, read by its owner alone, handed on with care."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.cli.client import data_dir
from app.settings import Settings

FILES = (data_dir.ADMIN_TOKEN, data_dir.SECRET_KEY, data_dir.INSTALLATION)


def test_the_first_boot_makes_secrets_and_later_ones_keep_them(tmp_path: Path) -> None:
    first = data_dir.with_kept_secrets(Settings(data_dir=tmp_path))
    again = data_dir.with_kept_secrets(Settings(data_dir=tmp_path))
    assert first == again
    assert first.admin_token is not None
    assert len(first.secret_key[0].get_secret_value()) >= 32
    for name in FILES:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    Settings.model_validate(data_dir.variables(first))


def test_the_kept_key_may_become_a_list(tmp_path: Path) -> None:
    """As a rotation needs it, read as the environment is."""
    (tmp_path / data_dir.SECRET_KEY).write_text(f"{'n' * 32}, {'f' * 32}\n")
    kept = data_dir.with_kept_secrets(Settings(data_dir=tmp_path)).secret_key
    assert [key.get_secret_value() for key in kept] == ["n" * 32, "f" * 32]


def test_what_the_environment_says_is_not_made(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        admin_token=SecretStr("a" * 20),
        secret_key=(SecretStr("k" * 32), SecretStr("j" * 32)),
        installation="here",
    )
    assert data_dir.with_kept_secrets(settings) == settings
    assert list(tmp_path.iterdir()) == []
    assert data_dir.variables(settings)["secret_key"] == f"{'k' * 32},{'j' * 32}"


def test_a_half_written_secret_is_written_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / f"{data_dir.SECRET_KEY}.unfinished"
    unfinished.write_text("half")
    unfinished.chmod(0o644)
    settings = data_dir.with_kept_secrets(Settings(data_dir=tmp_path))
    assert settings.secret_key[0].get_secret_value() != "half"
    assert not unfinished.exists()
    assert stat.S_IMODE((tmp_path / data_dir.SECRET_KEY).stat().st_mode) == 0o600


def test_children_never_learn_the_schema_owners_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINLINK_MIGRATE_DATABASE_URL", "postgresql://owner:x@db/t")
    monkeypatch.setenv("TWINLINK_READ_ONLY", "1")
    settings = Settings(data_dir=tmp_path, database_url=SecretStr("postgresql://run:y@db/t"))
    told = data_dir.environment(settings)
    assert "owner:x@" not in "".join(told.values())
    assert told["TWINLINK_READ_ONLY"] == "1"
    assert told["TWINLINK_DATABASE_URL"] == "postgresql://run:y@db/t"
    assert "TWINLINK_REDIS_URL" not in told
