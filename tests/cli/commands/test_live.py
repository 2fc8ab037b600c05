"""The commands against the real service: API and worker as `up` starts them, two sandbox sites."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.embedded import throwaway_directory
from app.sandbox import Flavour, JiraSite, Served, serve, token_of
from app.sandbox.people import person_on
from tests.cli.processes import Up, up
from tests.support.servers import Database

pytestmark = pytest.mark.slow


@dataclass
class Bench:
    """What a person has who types commands beside a service and two sites."""

    up: Up
    left: Served
    right: Served

    async def run(self, *arguments: str, input: str | None = None) -> Result:
        """In a thread: the sites live in this loop and have to answer meanwhile."""
        env = {"TWINLINK_DATA_DIR": str(self.up.directory), "TWINLINK_ALLOW_PRIVATE_SITES": "1"}
        return await asyncio.to_thread(
            CliRunner().invoke, app, arguments, input=input, env=env, catch_exceptions=False
        )

    async def done(self, *arguments: str, input: str | None = None) -> str:
        result = await self.run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def json(self, *arguments: str, input: str | None = None) -> Any:
        return json.loads(await self.done(*arguments, "--json", input=input))


BenchOf = Callable[[Flavour], AbstractAsyncContextManager[Bench]]


def _site(name: str, flavour: Flavour) -> JiraSite:
    site = JiraSite(name, flavour)
    site.add_user("ann")
    site.add_user("twinlink", admin=True)
    site.add_project("P")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    for number in range(3):
        person_on(site, "ann").create("P", f"Summary {number}")
    return site


@pytest.fixture
def bench_of(database: Database, redis_url: str) -> BenchOf:
    """A bench with a Cloud site on the left and a site of that flavour on the right."""
    env = {
        "TWINLINK_DATABASE_URL": database.run_url,
        "TWINLINK_MIGRATE_DATABASE_URL": database.migrate_url,
        "TWINLINK_REDIS_URL": redis_url,
        "TWINLINK_ALLOW_PRIVATE_SITES": "1",
        "TWINLINK_SWEEP_SECONDS": "0.2",
    }

    @asynccontextmanager
    async def benches(right_flavour: Flavour) -> AsyncIterator[Bench]:
        async with AsyncExitStack() as stack:
            directory = stack.enter_context(throwaway_directory())
            running = up(directory, env=env)
            bench_up = await asyncio.to_thread(running.__enter__)
            stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
            sites = serve(_site("left", "cloud"), _site("right", right_flavour))
            left, right = await stack.enter_async_context(sites)
            yield Bench(bench_up, left, right)

    return benches


@pytest.fixture
async def bench(bench_of: BenchOf) -> AsyncIterator[Bench]:
    async with bench_of("datacenter") as made:
        yield made


async def _connect(bench: Bench, directory: Path) -> None:
    for name, served in (("left", bench.left), ("right", bench.right)):
        token, secret = directory / f"{name}.token", directory / f"{name}.secret"
        token.write_text(token_of(served.site, "twinlink"))
        secret.write_text(f"webhook secret of {name}")
        cloud = served.site.flavour == "cloud"
        await bench.done(
            *("site", "put", name, "--base-url", served.base_url, "--dedicated"),
            *("--deployment", served.site.flavour, "--token-file", str(token)),
            *("--webhook-secret-file", str(secret)),
            *(("--email", served.site.user("twinlink").email) if cloud else ()),
        )
        assert "is fine" in await bench.done("site", "check", name)
        await bench.done("webhooks", "register", name)
    await bench.done(
        *("connection", "put", "main", "--left", "left:P", "--right", "right:P"),
        *("--link-type", "Blocks", "--direction", "both"),
    )
    twins = "left,right\nP-1,P-1\nP-2,P-2\nP-3,P-3\n"
    report = await bench.json("twins", "import", "main", "-", input=twins)
    assert report["counts"] == {"paired": 3}


async def test_from_nothing_to_a_mirrored_link(bench: Bench, tmp_path: Path) -> None:
    person_on(bench.left.site, "ann").link("P-1", "Blocks", "P-2")
    await _connect(bench, tmp_path)
    dry = await bench.json("resync", "main", "--dry-run")
    assert (dry["status"], dry["issues_total"] > 0) == ("succeeded", True)
    plan = await bench.json("plan", "show", dry["plan_id"])
    assert [change["operation"] for change in plan["changes"]] == ["create"]
    assert bench.right.site.links == {}

    assert "create_only" in await bench.done("mode", "main", "create_only")
    assert (await bench.json("resync", "main"))["status"] == "succeeded"
    assert bench.right.site.triples_of() == {("P-1", "Blocks", "P-2")}
    managed = await bench.json("links", "main", "--state", "managed", "--issue", "P-1")
    assert len(managed["items"]) == 1
    (found,) = (await bench.json("explain", "P-1"))["connections"]
    assert [link["outcome"] for link in found["items"]] == ["in_step"]
    told = await bench.done("explain", "P-1")
    assert "in step: ours, and in step" in told
    assert re.search(r"left: there, link \d+\n", told), told
    assert "row" not in told, "a reader of the screen has no table at hand"

    changed = await bench.run("connection", "put", "main", "--approvals", "2")
    assert (changed.exit_code, "--yes" in changed.stderr) == (2, True)
    away = ("connection", "put", "main", "--direction", "right_to_left", "--yes")
    assert "1 of 1 managed link would be suspended" in (await bench.run(*away)).stderr
    assert (await bench.json("connection", "show", "main"))["link_types"] != []
    await bench.done("rollback", "main", "--to", "1")
    assert (await bench.json("resync", "main"))["status"] == "succeeded"

    config = await bench.done("connection", "show", "main", "--config")
    stored = await bench.json("connection", "put", "main", "-", "--revision", "3", input=config)
    assert stored["revision"] == 3
    stale = await bench.run("connection", "put", "main", "-", "--revision", "7", input=config)
    assert (stale.exit_code, "(stale)" in stale.stderr) == (1, True)


async def test_every_list_and_the_record(bench: Bench, tmp_path: Path) -> None:
    person_on(bench.left.site, "ann").link("P-1", "Blocks", "P-2")
    await _connect(bench, tmp_path)
    await bench.done("mode", "main", "live")
    await bench.done("resync", "main")
    for arguments in (
        ("site", "list"), ("connection", "list"), ("connection", "revisions", "main"),
        ("status",), ("twins", "list", "main"), ("guard", "show", "main"), ("resyncs", "list"),
        ("plan", "list"), ("failures",), ("deliveries",), ("audit", "list"), ("token", "list"),
        ("links", "main"), ("webhooks", "list", "left"), ("guard", "reset", "main"),
    ):  # fmt: skip
        assert await bench.done(*arguments) != "" or arguments[0] in {"failures", "token"}
        assert await bench.json(*arguments) is not None
    export = tmp_path / "audit.ndjson"
    await bench.done("audit", "export", str(export))
    verdict = await bench.json("audit", "verify", str(export))
    assert (verdict["status"], verdict["rows"]) == ("accepted", 2)
    assert (await bench.json("audit", "verify"))["rows"] == 2
    export.write_text(export.read_text().replace('"managed":true', '"managed":false', 1))
    assert (await bench.run("audit", "verify", str(export))).exit_code == 1

    assert "paused" in await bench.done("pause", "--all")
    assert "is resumed" in await bench.done("resume", "--all")
    (hook,) = (await bench.json("webhooks", "list", "left"))["items"]
    assert hook["url"].endswith("/webhooks/jira/left")
    await bench.done("webhooks", "register", "left", "--replace")
    (again,) = (await bench.json("webhooks", "list", "left"))["items"]
    assert again["id"] != hook["id"]
    await bench.done("webhooks", "remove", "left", again["id"], "--yes")
    made = await bench.json("token", "create", "viewer", "--owner", "me")
    await bench.done("token", "revoke", made["id"], "--yes")
    await bench.done("twins", "remove", "main", "P-3", "--yes")
    released = await bench.json("connection", "delete", "main", "--yes")
    assert released == {"released": 1}
    assert bench.right.site.triples_of() == {("P-1", "Blocks", "P-2")}
