"""Faults to plant in the engine, the incident's first: what a test of the test needs."""

from collections.abc import Iterable
from typing import Any

import pytest

from app.core import evidence
from app.core.evidence import Absent, Present, SideFacts
from app.core.ledger import LinkKey
from app.core.links import Side
from app.core.results import Result
from app.store.config.active_connection import Running
from app.store.queue.work import Claimed
from app.sync.look import read_sides
from app.sync.look.snapshot import Look
from app.sync.reconcile import loop
from app.sync.runtime.context import Context
from app.sync.writes import author_proof, delete, read_back


def remove_what_the_source_lacks(patch: pytest.MonkeyPatch) -> None:
    """The incident: a link on the destination that the source lacks is an inconsistency."""
    decisions_for = loop.decisions_for

    async def compare(
        ctx: Context, state: Running, claimed: Iterable[Claimed], **more: Any
    ) -> tuple[Look, Any]:
        look, decisions = await decisions_for(ctx, state, claimed, **more)
        client = await ctx.sites.client(state.site(Side.RIGHT))
        for link in list(look.listed(Side.RIGHT)):
            key = look.key_of(Side.RIGHT, link.type_id, link.ends)
            if key is not None and not isinstance(
                read_sides.judge(look, key, Side.LEFT, proven=False), Present
            ):
                await client.delete_link(link.id)
        return look, decisions

    patch.setattr(loop, "decisions_for", compare)


def take_not_seen_for_gone(patch: pytest.MonkeyPatch) -> None:
    """An issue that does not come back, a page that fails: no link there."""
    presence = evidence.presence

    def hasty(facts: SideFacts) -> Any:
        found = presence(facts)
        return found if isinstance(found, Present) else Absent({})

    patch.setattr(read_sides, "presence", hasty)
    patch.setattr(read_sides, "glance", hasty)


def take_every_new_link_for_ours(patch: pytest.MonkeyPatch) -> None:
    """A 201 is proof enough."""
    patch.setattr(read_back, "authorship_now", lambda *_: "ours")
    patch.setattr(author_proof, "authorship_now", lambda *_: "ours")


def match_by_pair_and_type(patch: pytest.MonkeyPatch) -> None:
    """Any link in the mirror's place counts as the mirror."""

    async def any_equal(client: Any, intent: Any) -> Any:
        ends = intent.wanted.source.id, intent.wanted.destination.id
        reading = await client.read_issues(list(ends))
        for view in reading.issues.values():
            for link in view.links or ():
                if {link.source.id, link.destination.id} == set(ends):
                    object.__setattr__(intent.wanted, "link_id", link.id)
                    return link
        return None

    patch.setattr(delete, "_re_read", any_equal)
    # Each of the two last reads alone holds it back.
    patch.setattr(author_proof, "authorship_now", lambda *_: "ours")


def leave_mirrors_behind(patch: pytest.MonkeyPatch) -> None:
    """Harmless to others, and still not in step."""

    async def nothing(*_: Any) -> dict[LinkKey, Result]:
        return {}

    patch.setattr(loop, "remove_all", nothing)


OTHERS = [
    take_not_seen_for_gone,
    take_every_new_link_for_ours,
    match_by_pair_and_type,
    leave_mirrors_behind,
]
