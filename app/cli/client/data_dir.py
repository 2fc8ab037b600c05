"""The data directory of `twinlink up`, where the other commands find its token and address.

All files are readable by their owner alone. `admin.token`, `secret.key` and `installation.id` are
made at the first boot and stay; `running.json` says where the service is while it runs.
"""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr, ValidationError

from app.settings import PREFIX, Settings, inherited, load_settings

ADMIN_TOKEN = "admin.token"  # noqa: S105 - a file's name
SECRET_KEY = "secret.key"  # noqa: S105
INSTALLATION = "installation.id"
RUNNING = "running.json"


def make_directory(directory: Path) -> None:
    """With the permissions that the embedded servers need: for root, another account runs them."""
    if not directory.exists():
        directory.mkdir(parents=True)
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)


def with_kept_secrets(settings: Settings) -> Settings:
    """Replace settings that the environment leaves out by what the first boot made."""
    directory = settings.data_dir
    made: dict[str, Any] = {}
    if settings.admin_token is None:
        made["admin_token"] = SecretStr(_kept(directory / ADMIN_TOKEN, secrets.token_urlsafe))
    if not settings.secret_key:
        # One key, or a list after a rotation, as in TWINLINK_SECRET_KEY.
        kept = _kept(directory / SECRET_KEY, secrets.token_urlsafe)
        made["secret_key"] = tuple(SecretStr(key.strip()) for key in kept.split(","))
    if settings.installation is None:
        made["installation"] = _kept(directory / INSTALLATION, lambda: str(uuid4()))
    return settings.model_copy(update=made)


def variables(settings: Settings) -> dict[str, str]:
    """Variables that another process on this machine needs, without the schema owner's URL."""
    told = {
        "database_url": _text(settings.database_url),
        "redis_url": _text(settings.redis_url),
        "data_dir": str(settings.data_dir),
        "admin_token": _text(settings.admin_token),
        "secret_key": ",".join(key.get_secret_value() for key in settings.secret_key),
        "installation": settings.installation or "",
        "allow_private_sites": str(int(settings.allow_private_sites)),
        "host": settings.host,
        "port": str(settings.port),
        "log_format": settings.log_format,
    }
    return {name: value for name, value in told.items() if value}


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: our own, with the settings that `up` chose."""
    handed_on = inherited()
    handed_on.pop(PREFIX + "MIGRATE_DATABASE_URL", None)
    told = variables(settings)
    return handed_on | {PREFIX + name.upper(): value for name, value in told.items()}


def announce(directory: Path, settings: Settings, api_url: str) -> Path:
    """Write `running.json`; the caller removes it when the service ends."""
    path = directory / RUNNING
    _write(path, json.dumps(variables(settings) | {"api_url": api_url}))
    return path


def client_settings() -> Settings:
    """Settings from the environment, and for what it leaves out from what runs on this machine."""
    settings = load_settings()
    told = _running(settings.data_dir / RUNNING)
    if settings.api_url != told.get("api_url") and "api_url" in settings.model_fields_set:
        told.pop("admin_token", None)  # this token must not be sent to another service
    told = {name: told[name] for name in told.keys() - settings.model_fields_set}
    try:
        return Settings(**told) if told else settings
    except ValidationError:  # written by another version
        return settings


def running_at(directory: Path) -> str | None:
    """The address of the service that runs on this directory, if it has said so."""
    at = _running(directory / RUNNING).get("api_url")
    return at if isinstance(at, str) else None


def _running(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The content of the file, which is made on first use."""
    if not path.exists():
        _write(path, make())
    return path.read_text().strip()


def _write(path: Path, text: str) -> None:
    """Write all or nothing, even in a crash: without the key no credential can be decrypted."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
