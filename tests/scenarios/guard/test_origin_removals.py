"""Who removed the origins: named in a held plan and in its incident, and read once."""

import pytest

from app.core.config import Direction, Mode
from app.core.links import Side
from app.sandbox import Fault
from app.store.alerts import incidents
from app.store.guard import held_plans as plans_held
from app.store.views import plans
from app.sync.guard import held_plans
from tests.scenarios.conftest import Build, Duo
from tests.scenarios.guard.test_guard import TIGHT
from tests.support.engine import Station

FLAVOURS = pytest.mark.parametrize("side", list(Side), ids=["cloud", "datacenter"])


def origin(duo: Duo, side: Side) -> Station:
    return side.pick(duo.left, duo.right)


async def lost(build: Build, side: Side, links: int, **changes: object) -> Duo:
    """Links of a person on that side, each with a mirror, which one other person has removed."""
    towards = side.pick(Direction.LEFT_TO_RIGHT, Direction.RIGHT_TO_LEFT)
    duo = await build(issues=links + 1, direction=towards, **changes)
    there = origin(duo, side)
    for number in range(1, links + 1):
        there.person().link(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    duo.world.clock.tick(3600)
    for number in range(1, links + 1):
        there.person("root").unlink(f"P-{number}", "Blocks", f"P-{number + 1}")
    await duo.world.settle()
    return duo


async def sealed(duo: Duo) -> int:
    duo.world.clock.tick(60)
    await held_plans.run_once(duo.world.ctx)
    [plan] = {it["plan_id"] for it in await duo.world.held() if it["status"] == "held"}
    assert isinstance(plan, int)
    return plan


@FLAVOURS
async def test_a_held_plan_says_who_removed_the_origins(build: Build, side: Side) -> None:
    duo = await lost(build, side, 3, mode=Mode.REVIEW)
    jira = origin(duo, side).jira
    plan = await sealed(duo)
    held = await duo.world.held()
    told = [it["evidence"] for it in held]
    assert len({it["origin_removed_by"] for it in told}) == 1
    root = jira.user("root")
    for it in told:
        assert it["origin_removed_by"] not in {"twinlink", "unnamed"}
        assert root.account_id not in str(it)
        assert it["origin_removed_at"].endswith("Z")
        assert "/browse/P-" in it["origin_history"]
    async with duo.world.database.connection() as conn:
        known = await plans.origins_removed(conn, plan)
    assert known is not None
    assert (known.removals, known.accounts) == (3, 1)


@FLAVOURS
async def test_an_approved_removal_keeps_it_in_the_audit(build: Build, side: Side) -> None:
    duo = await lost(build, side, 3, mode=Mode.REVIEW)
    plan = await sealed(duo)
    told = {it["evidence"]["origin_removed_by"] for it in await duo.world.held()}
    async with duo.world.database.connection() as conn:
        digest = (await plans_held.value(conn, plan)).digest
    await held_plans.approve(
        duo.world.database, plan, digest, by="eve", note="", now=duo.world.now()
    )
    await duo.world.settle()
    rows = await duo.world.rows(
        """SELECT evidence ->> 'origin_removed_by' AS account,
                  evidence ->> 'origin_removed_at' AS at FROM audit
           WHERE connection_id = ANY($1::bigint[]) AND operation = 'remove'
             AND status = 'intended'"""
    )
    assert len(rows) == 3
    assert {row["account"] for row in rows} == told
    assert all(row["at"] for row in rows)


@FLAVOURS
async def test_the_incident_says_it_too(build: Build, side: Side) -> None:
    duo = await lost(build, side, 14, guard=TIGHT)
    await sealed(duo)
    async with duo.world.database.connection() as conn:
        [it] = [one for one in await incidents.open_ones(conn) if one.kind == "guard_tripped"]
        last = await incidents.last_entry(conn, it.id)
    assert (it.facts["origin_removals"], it.facts["origin_accounts"]) == (4, 1)
    assert last is not None
    assert "Who removed their origins: one account, 4 removals within" in last.entry.text


async def test_a_plan_is_held_though_nobody_says_who(build: Build) -> None:
    """The site fails just then: the plan is sealed, and is not asked about again."""
    duo = await lost(build, Side.LEFT, 2, mode=Mode.REVIEW)
    duo.left.jira.faults.add(Fault("error_before", status=503))
    plan = await sealed(duo)
    duo.left.jira.faults.clear()
    assert all("origin_removed_by" not in it["evidence"] for it in await duo.world.held())
    async with duo.world.database.connection() as conn:
        assert await plans.origins_removed(conn, plan) is None
