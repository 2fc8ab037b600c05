"""The only reader of the environment.

Every variable starts with `TWINLINK_` and is described in `.env.example`. A misspelt name is an
error, not a silence: `TWINLINK_READONLY=1` must not leave writes on
unnoticed.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TWINLINK_"

TEST_PREFIX = "TWINLINK_TEST_"
"""Variables with this prefix steer the test suite, not the service."""

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")
_BETWEEN_URLS = re.compile(r"\s*,\s*(?=[a-zA-Z][a-zA-Z0-9+.-]*://)|\s+")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _split_urls(value: object) -> object:
    """URLs apart by spaces, or by commas before the next scheme: one may hold a comma itself."""
    if isinstance(value, str):
        return tuple(url for url in _BETWEEN_URLS.split(value.strip(" ,\t\n")) if url)
    return value


def _urls(urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(_URL.match(url.get_secret_value()) for url in urls):
        raise ValueError("each must be a URL such as mailto://… or slack://…")
    return urls


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < 32 for key in keys):
        raise ValueError("each key must have at least 32 characters")
    return keys


def _hard_to_guess(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters")
    return token


def _secret_url(*schemes: str) -> AfterValidator:
    names = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(value: SecretStr) -> SecretStr:
        # The value never enters the message: it may hold a password.
        if urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError(f"must be a URL that starts with {names}")
        return value

    return AfterValidator(check)


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be a URL such as https://twinlink.example.org")
    return value.rstrip("/")


PostgresUrl = Annotated[SecretStr, _secret_url("postgresql", "postgres")]
RedisUrl = Annotated[SecretStr, _secret_url("redis", "rediss", "unix")]
ProxyUrl = Annotated[SecretStr, _secret_url("http", "https")]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
Port = Annotated[int, Field(ge=1, le=65535)]
SecretKeys = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_long_enough)
]
NotifyUrls = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_urls), AfterValidator(_urls)
]


def default_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the embedded servers keep their data.

    For root this is outside the home directory: PostgreSQL refuses to run as root, and the
    account that it runs as instead cannot enter root's home.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/twinlink")
    environ = os.environ if environ is None else environ
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "twinlink"


class Settings(BaseSettings):
    """One process's settings, read once at its start and never changed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    # Where things are
    database_url: PostgresUrl | None = None
    migrate_database_url: PostgresUrl | None = None
    redis_url: RedisUrl | None = None
    data_dir: Path = Field(default_factory=default_data_dir)

    # Who may, and what this installation is
    admin_token: Annotated[SecretStr, AfterValidator(_hard_to_guess)] | None = None
    metrics_token: Annotated[SecretStr, AfterValidator(_hard_to_guess)] | None = None
    secret_key: SecretKeys = ()
    installation: str | None = None
    read_only: bool = False
    allow_private_sites: bool = False
    ca_file: FilePath | None = None
    https_proxy: ProxyUrl | None = None
    no_proxy: Names = ()

    # The API process
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: WebUrl | None = None
    ingest_window_ms: Annotated[float, Field(ge=0, le=100)] = 2.0

    # The worker process
    worker_port: Port | None = None
    worker_concurrency: Annotated[int, Field(ge=1, le=200)] = 10
    poll_delay_seconds: Annotated[float, Field(ge=0.001, le=5)] = 1.0
    sweep_seconds: Annotated[float, Field(ge=0.05, le=60)] = 5.0
    claim_size: Annotated[int, Field(ge=1, le=1000)] = 100
    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    decisions_one_in: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    decisions_a_day: Annotated[int, Field(ge=0, le=1_000_000)] = 1000

    # Connections
    db_pool_min: Annotated[int, Field(ge=0, le=200)] = 1
    db_pool_max: Annotated[int, Field(ge=1, le=200)] = 10
    jira_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 20.0

    # Whom it notifies
    notify_urls: NotifyUrls = ()
    page_urls: NotifyUrls = ()
    notify_per_minute: Annotated[int, Field(ge=1, le=600)] = 6

    # What it says
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    # The command line as a client
    api_url: WebUrl = "http://127.0.0.1:8080"
    api_token: SecretStr | None = None

    @model_validator(mode="after")
    def _pool_bounds(self) -> Self:
        if self.db_pool_min > self.db_pool_max:
            raise ValueError("TWINLINK_DB_POOL_MIN must not exceed TWINLINK_DB_POOL_MAX")
        return self

    @property
    def ca_path(self) -> str | None:
        return None if self.ca_file is None else str(self.ca_file)

    @property
    def proxy_url(self) -> str | None:
        return None if self.https_proxy is None else self.https_proxy.get_secret_value()

    @property
    def migrations_url(self) -> SecretStr | None:
        """The owner's URL where roles are split, else the one URL there is."""
        return self.migrate_database_url or self.database_url


@dataclass(frozen=True, slots=True)
class Problem:
    """One variable that cannot be used. `reason` never repeats the value."""

    variable: str
    reason: str


class SettingsError(Exception):
    """The environment cannot be used. A usage error: the command line exits with 2."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{p.variable}: {p.reason}" for p in problems))
        self.problems = problems


def variables() -> tuple[str, ...]:
    """The names of all variables that are understood, in the order of `.env.example`."""
    return tuple(PREFIX + name.upper() for name in Settings.model_fields)


def inherited() -> dict[str, str]:
    """Our whole environment, for a child process to start with."""
    return {**os.environ}


def _unknown(environ: Mapping[str, str]) -> tuple[Problem, ...]:
    known = variables()
    problems = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        problems.append(Problem(name, f"is not a setting of Twinlink{hint}"))
    return tuple(problems)


def _invalid(error: ValidationError) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            PREFIX + str(item["loc"][0]).upper() if item["loc"] else "settings",
            item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )


def load_settings() -> Settings:
    """Read the environment; raise `SettingsError` naming every variable that is wrong."""
    problems = _unknown(os.environ)
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(problems + _invalid(error)) from None
    if problems:
        raise SettingsError(problems)
    return settings
