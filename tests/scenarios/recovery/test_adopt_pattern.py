"""An account that writes links as a person does is not adopted for a product's by mistake."""

from typing import Any

import pytest

from app.core.errors import PermanentError
from app.store.guard.held_plans import HeldPlan
from app.sync.recovery import adopt
from tests.scenarios.conftest import Duo
from tests.scenarios.recovery.adopting import Former


@pytest.fixture
async def former(duo: Duo) -> Former:
    return Former.at(duo)


async def numbers(former: Former) -> tuple[int, int, bool]:
    """Pairs, other links, and whether the last adoption was refused for them."""
    rows: list[dict[str, Any]] = await former.duo.world.rows(
        """SELECT paired, unpaired, refused_at IS NOT NULL AS refused FROM adoptions
           WHERE connection_id = ANY($1::bigint[]) ORDER BY id DESC LIMIT 1"""
    )
    return rows[0]["paired"], rows[0]["unpaired"], rows[0]["refused"]


async def test_a_products_pairs_need_no_confirmation(former: Former) -> None:
    former.mirrored(former.duo.ann, former.by("right"), "P-1", "Blocks", "P-2")
    former.mirrored(former.by("left"), former.duo.bob, "P-2", "Relates", "P-4")
    await former.duo.world.settle()
    plan = await former.plan(await former.adopt())
    assert plan.status == "held"
    assert await numbers(former) == (2, 0, False)


async def a_person(former: Former) -> HeldPlan:
    """Bob, whose one link equals one that Ann made, and who made others, of which we mirrored one;
    adopted as if his account were a product's."""
    duo = former.duo
    former.mirrored(duo.ann, duo.bob, "P-1", "Blocks", "P-2")
    duo.bob.link("P-2", "Blocks", "P-5")
    duo.bob.link("P-4", "Relates", "P-1")
    await duo.world.settle()
    assert len(duo.left.ours) == 1, "one of them has a mirror"
    return await former.plan(await former.adopt(duo.right.jira.user("bob").key))


async def test_a_persons_links_refuse_with_numbers_what_is_not_confirmed(former: Former) -> None:
    plan = await a_person(former)
    assert plan.status == "expired"
    assert await numbers(former) == (1, 2, True)
    assert set((await former.results(plan.id)).values()) == {"skipped:account_unconfirmed"}
    with pytest.raises(PermanentError) as refused:
        await former.adopt(former.duo.right.jira.user("bob").key)
    assert refused.value.code == "account_unconfirmed"
    assert "wrote 2 links" in (refused.value.detail or "")
    assert "beside 1 that are" in (refused.value.detail or "")


async def test_confirmed_it_is_planned_for_two_owners(former: Former) -> None:
    await a_person(former)
    account = former.duo.right.jira.user("bob").key
    plan = await former.plan(await former.adopt(account, confirmed=True))
    assert plan.status == "held"
    assert await numbers(former) == (1, 2, False)


async def test_after_an_hour_it_is_counted_again(former: Former) -> None:
    plan = await a_person(former)
    former.duo.world.clock.tick(adopt.REFUSED_FOR.total_seconds() + 1)
    again = await former.plan(await former.adopt(former.duo.right.jira.user("bob").key))
    assert again.id != plan.id
    assert await numbers(former) == (1, 2, True)
