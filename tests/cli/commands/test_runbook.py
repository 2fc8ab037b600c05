"""The runbook: each alert has its heading, and each command is run against the real service.

That each kind of incident has one is with the documents (tests/test_documents.py)."""

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from app.core.incidents import Impact, IncidentKind
from app.process.exit_code import ExitCode
from app.sandbox.people import person_on
from app.store.pool import open_pool
from app.sync.incidents import timeline
from tests.cli.commands.test_live import Bench, _connect, bench, bench_of
from tests.support.servers import Database

__all__ = ["bench", "bench_of"]
DEPLOY = Path(__file__).parents[3] / "deploy"
RUNBOOK = (DEPLOY / "runbook.md").read_text()
PARTS = ("**Means.**", "**Look at.**", "**Do.**")
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"\b(CONNECTION|SITE|INCIDENT|PLAN|DIGEST|FAILURE|KEY)\b")


def _sections(part: str) -> dict[str, str]:
    """What is under each heading of the third level, by heading."""
    inside = RUNBOOK.split(f"\n## {part}\n")[1].split("\n## ")[0]
    found = [it.partition("\n") for it in inside.split("\n### ")[1:]]
    assert len({name for name, _, _ in found}) == len(found)
    return {name: text for name, _, text in found}


ALERTS, INCIDENTS = _sections("Alerts"), _sections("Incidents")


def _commands(text: str) -> Iterator[str]:
    for block in _BLOCK.findall(text):
        yield from block.splitlines()


def test_each_alert_has_its_heading() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    assert list(ALERTS) == [rule["alert"] for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("name", [*ALERTS, *INCIDENTS])
def test_a_heading_says_what_it_means_what_to_look_at_and_what_to_do(name: str) -> None:
    text = ALERTS.get(name) or INCIDENTS[name]
    at = [text.find(part) for part in PARTS]
    assert -1 < at[0] < at[1] < at[2]
    looks = list(_commands(text[at[1] : at[2]]))
    assert looks, "there is a command to look with"


def test_each_command_is_one_of_ours() -> None:
    fenced = RUNBOOK.count("```")
    assert fenced == 2 * len(_BLOCK.findall(RUNBOOK))
    assert {shlex.split(it)[0] for it in _commands(RUNBOOK)} == {"twinlink"}


def test_each_link_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-") for it in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= slugs


@pytest.mark.slow
async def test_each_command_runs(
    bench: Bench, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one looks with answers; what one does may be refused, where nothing is wrong, but is no
    mistake in its usage. Every question is answered with no."""
    places, seen = await _state(bench, database, tmp_path), set[str]()
    for part in (*ALERTS.values(), *INCIDENTS.values(), RUNBOOK.split("\n## ")[0]):
        looking, _, doing = part.partition(PARTS[2])
        for line in dict.fromkeys(_commands(looking)):
            if line in seen:
                continue
            seen.add(line)
            said, code = await _run(bench, line, places)
            assert code in {ExitCode.DONE, ExitCode.HELD}, said
        for line in _commands(doing):
            with monkeypatch.context() as owner:
                if line == "twinlink migrate":
                    owner.setenv("TWINLINK_MIGRATE_DATABASE_URL", database.migrate_url)
                said, code = await _run(bench, line, places)
            assert code != ExitCode.USAGE, said
        if "twinlink pause" in part:
            await bench.done("resume", "--all")
            await bench.done("resume", "main")


async def _run(bench: Bench, line: str, places: Mapping[str, str]) -> tuple[str, int]:
    """What was said, both ways, and the exit code."""
    command = _PLACE.sub(lambda it: places[it[0]], line)
    result = await bench.run(*shlex.split(command)[1:], input="n\n")
    return f"{command}: {result.output}", result.exit_code


async def _state(bench: Bench, database: Database, directory: Path) -> dict[str, str]:
    """A mirrored link whose removal is held, and an open incident."""
    ann = person_on(bench.left.site, "ann")
    link = ann.link("P-1", "Blocks", "P-2")
    await _connect(bench, directory)
    await bench.done("mode", "main", "review")
    await bench.done("resync", "main")
    ann.unlink(link.id)
    held = await bench.run("resync", "main")
    assert held.exit_code == ExitCode.HELD, held.output
    (plan, *_) = (await bench.json("plan", "list"))["items"]
    pool = await open_pool(database.run_url)
    try:
        async with pool.acquire() as conn, conn.transaction():
            incident = await timeline.open_or_note(
                conn,
                IncidentKind.OUTCOME_CORRECTED,
                now=datetime.now(UTC),
                detail={"made": 1},
                impact=Impact.MAJOR,
            )
    finally:
        await pool.close()
    return {
        "CONNECTION": "main",
        "SITE": "left",
        "KEY": "P-1",
        "FAILURE": "1",
        "PLAN": str(plan["id"]),
        "DIGEST": str(plan["digest"]),
        "INCIDENT": str(incident),
    }
