"""The incident's rule, shipped as a new version of ours, writes nothing, and a person is told."""

from dataclasses import replace

import pytest

from app.core.recorded.engine import Verdict
from app.store.upkeep import engines
from app.store.upkeep.engines import Engine
from app.sync.incidents import watch
from app.sync.reconcile import engine_watch, evaluate, loop
from app.sync.reconcile.engine_watch import EngineWatch
from app.sync.runtime.context import Context
from app.sync.runtime.recording import Recording
from app.sync.runtime.refusals import Refused
from app.sync.runtime.write_gate import Permit
from tests.scenarios.conftest import Duo
from tests.scenarios.releases.test_evaluate import history, incident

__all__ = ["history"]

NEXT = "twinlink/5.28"


def released(duo: Duo, engine: str = NEXT) -> Context:
    """A worker of another version on the same database."""
    return replace(duo.world.worker(), engine=engine, permit=Permit(), recording=Recording())


@pytest.fixture
def bad(history: Duo, monkeypatch: pytest.MonkeyPatch) -> Duo:
    """From here on this code decides as the incident's did, in its looks and in its evaluation."""
    monkeypatch.setattr(loop, "decide", incident)
    monkeypatch.setattr(evaluate, "decide", incident)
    return history


async def stored(duo: Duo, engine: str = NEXT) -> Engine:
    async with duo.world.database.connection() as conn:
        found = await engines.of(conn, engine)
    assert found is not None
    return found


async def told(duo: Duo) -> list[dict[str, object]]:
    return await duo.world.rows(
        """SELECT * FROM incidents WHERE kind = 'engine_differs'
           AND $1::bigint[] IS NOT NULL ORDER BY id"""
    )


async def looked(ctx: Context) -> int:
    return (await loop.run_once(ctx, size=100, lease=60)).claimed


@pytest.mark.usefixtures("bad")
async def test_the_incident_shipped_as_a_release_removes_nothing(history: Duo) -> None:
    before = history.right.jira.triples_of()
    ctx = released(history)
    watching = EngineWatch(ctx)
    await history.world.resync()
    assert await looked(ctx) == 0
    assert not await watching.run_once()
    assert await looked(ctx) == 0
    assert history.right.jira.triples_of() == before
    (it,) = await told(history)
    assert it["state"] != "resolved"
    found = await stored(history)
    assert found.judged.verdict is Verdict.DIFFERS
    assert found.judged.removals >= 1


async def test_workers_of_the_version_before_go_on(
    history: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = history.world.ctx
    with monkeypatch.context() as planted:
        planted.setattr(evaluate, "decide", incident)
        assert not await EngineWatch(released(history)).run_once()
    assert old.permit.granted
    made = await history.mirrored("P-2", "Relates", "P-4")
    assert made.id


@pytest.mark.usefixtures("bad")
async def test_a_person_accepts_exactly_what_was_reviewed(history: Duo) -> None:
    ctx = released(history)
    watching = EngineWatch(ctx)
    assert not await watching.run_once()
    found = await stored(history)
    with pytest.raises(Refused, match="engine_digest"):
        await engine_watch.accept(ctx, NEXT, "0" * 64, by="ann")
    with pytest.raises(Refused, match="engine_unknown"):
        await engine_watch.accept(ctx, "twinlink/6", found.digest, by="ann")
    assert not await watching.run_once()
    for _ in range(2):
        await engine_watch.accept(ctx, NEXT, found.digest, by="ann")
    after = await stored(history)
    assert (after.judged.verdict, after.accepted_by) == (Verdict.ACCEPTED, "ann")
    assert await watching.run_once()
    assert ctx.permit.granted
    assert await EngineWatch(released(history)).run_once()


async def test_a_version_that_agrees_goes_on_and_it_is_written_down(history: Duo) -> None:
    ctx = released(history)
    watching = EngineWatch(ctx)
    assert ctx.permit.refused_for == "engine_unchecked"
    assert await watching.run_once()
    assert ctx.permit.granted
    found = await stored(history)
    assert found.judged.verdict is Verdict.AGREES
    assert found.judged.compared >= 5
    assert await told(history) == []


async def test_with_nothing_recorded_there_is_nothing_to_differ_from(
    duo: Duo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "decide", incident)
    ctx = released(duo)
    assert await EngineWatch(ctx).run_once()
    assert (await stored(duo)).judged.compared == 0


@pytest.mark.usefixtures("bad")
async def test_it_is_judged_once_and_said_until_it_is_over(history: Duo) -> None:
    one, other = released(history), released(history)
    assert not await EngineWatch(one).run_once()
    judged = await stored(history)
    assert not await EngineWatch(other).run_once()
    assert await stored(history) == judged
    assert len(await told(history)) == 1
    history.world.clock.tick(600)
    await watch.run_once(history.world.ctx)
    (it,) = await told(history)
    assert it["quiet_since"] is not None
