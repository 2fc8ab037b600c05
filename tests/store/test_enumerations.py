"""An enumeration of the code and the words that a table and the API admit are the same set."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, get_args

import asyncpg
import pytest

from app.api.schemas import plan, resync, twin
from app.core.plan import PlanKind, PlanStatus
from app.core.twin_claims import ClaimStatus
from app.store.queue.resyncs import ResyncStatus

CONSTRAINTS: Mapping[str, AbstractSet[StrEnum]] = {
    "plans_kind_check": set(PlanKind),
    "plans_status_check": set(PlanStatus),
    "resyncs_status_check": set(ResyncStatus),
    "twin_claims_status_check": set(ClaimStatus) - {ClaimStatus.UNCHANGED},
}
ANSWERED: Mapping[str, tuple[Any, tuple[StrEnum, ...]]] = {
    "plan kind": (plan.Kind, tuple(PlanKind)),
    "plan status": (plan.Status, tuple(PlanStatus)),
    "resync status": (resync.Status, tuple(ResyncStatus)),
    "twin status": (twin.Status, tuple(ClaimStatus)),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
async def test_a_table_admits_these_words(db_url: str, name: str) -> None:
    conn = await asyncpg.connect(db_url)
    try:
        check = await conn.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", name
        )
    finally:
        await conn.close()
    assert set(re.findall(r"'([a-z_]+)'", check)) == CONSTRAINTS[name]


@pytest.mark.parametrize("name", ANSWERED)
def test_the_api_answers_each_of_them(name: str) -> None:
    literal, members = ANSWERED[name]
    assert get_args(literal) == members
