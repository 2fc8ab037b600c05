"""A history of the sandbox, decided again: by the same code, and by the incident's."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.core.config import Direction, OnMirrorRemoved
from app.core.diff import Decision, RemoveMirror, decide
from app.core.evidence import Observed, Present
from app.core.ledger import Row
from app.core.links import Side
from app.store.upkeep import recorded_decisions
from app.sync.reconcile import evaluate
from tests.scenarios.conftest import Duo


def incident(
    row: Row | None,
    left: Observed,
    right: Observed,
    direction: Direction,
    policy: OnMirrorRemoved = OnMirrorRemoved.DETACH,
) -> Decision:
    """What the source does not show is removed on the other side, whoever made it."""
    if not isinstance(left, Present) and isinstance(right, Present):
        return RemoveMirror(Side.RIGHT, min(right.ids))
    return decide(row, left, right, direction, policy)


@dataclass
class Commands:
    """`twinlink evaluate` on the database of a test, as a process of its own would run it."""

    db_url: str

    async def __call__(self, *arguments: str) -> Result:
        env = {"TWINLINK_DATABASE_URL": self.db_url}
        return await asyncio.to_thread(CliRunner().invoke, app, ["evaluate", *arguments], env=env)


@pytest.fixture
def command(db_url: str) -> Commands:
    return Commands(db_url)


@pytest.fixture
async def history(build: Any) -> Duo:
    """Links that come and go, foreign ones among them; then a comparison."""
    duo: Duo = await build(direction=Direction.LEFT_TO_RIGHT)
    made = await duo.mirrored()
    duo.bob.link("P-4", "Blocks", "P-3")
    duo.bob.link("P-1", "Relates", "P-4")
    await duo.mirrored("P-2", to="P-4")
    duo.ann.unlink(made)
    await duo.world.resync()
    await duo.world.settle()
    return duo


async def test_this_code_differs_from_itself_nowhere(history: Duo, command: Commands) -> None:
    done = await command("--since", "3650d")
    assert done.exit_code == 0
    assert "none of" in done.stdout
    found = json.loads((await command("--since", "3650d", "--json")).stdout)
    assert found["compared"] >= 5
    assert found["differ"] == 0
    assert history.right.ours


async def test_the_rule_of_the_incident_is_found_before_it_writes(
    history: Duo, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "decide", incident)
    done = await command("--since", "3650d", "--json")
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    (first, *_) = found["differences"]
    assert first["then"] == {"row": 1, "outcome": "nothing"}
    assert first["now"] == {"row": 7, "outcome": "remove_mirror"}
    assert first["examples"][0]["link"]["source_twin"] in map(str, history.twins.values())
    told = await command("--since", "3650d")
    assert told.exit_code == 3
    assert "remove_mirror (row 7)" in told.stdout


async def test_against_one_engine_alone(
    history: Duo, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads((await command("--since", "3650d", "--json")).stdout)["compared"]
    history.world.ctx = replace(history.world.ctx, engine="twinlink/next")
    await history.mirrored()
    monkeypatch.setattr(evaluate, "decide", incident)
    old = json.loads(
        (await command("--since", "3650d", "--against", "twinlink/test", "--json")).stdout
    )
    assert old["compared"] == before
    assert {at["engine"] for one in old["differences"] for at in one["examples"]} == {
        "twinlink/test"
    }


async def test_what_is_older_is_left_out(history: Duo, command: Commands) -> None:
    done = await command("--since", "2100-01-01", "--json")
    assert (done.exit_code, json.loads(done.stdout)["compared"]) == (0, 0)
    assert "no decision is recorded" in (await command("--since", "2100-01-01")).stdout


async def test_records_of_another_format_are_counted_and_said(
    history: Duo, command: Commands
) -> None:
    async with history.world.database.transaction() as conn:
        (one, *_) = await recorded_decisions.page(
            conn, since=history.world.now().replace(year=2000), engine=None, after=0, size=1
        )
        await recorded_decisions.add(
            conn,
            one.connection_id,
            1,
            [
                recorded_decisions.Decided(
                    one.key, one.outcome, one.row, one.decision, 99, "whatever comes"
                )
            ],
            engine="twinlink/9.0.0",
            bound=1000,
            now=history.world.now(),
        )
    done = await command("--since", "3650d")
    assert done.exit_code == 0
    assert "1 record of format 99 cannot be read" in done.stderr
