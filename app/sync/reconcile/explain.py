"""Why each link of an issue is as it is: the same look as a worker's, and nothing is written."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.core.diff import (
    CreateMirror,
    Decision,
    Detach,
    Forget,
    InStep,
    ManageAgain,
    Nothing,
    Prove,
    RecordPreexisting,
    RemoveMirror,
    Wait,
)
from app.core.errors import PermanentError, TransientError
from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import LinkKey
from app.core.links import IssueRef, Link, LinkId, LinkType, Side, TypeId
from app.store.config import active_connection, site_types
from app.store.config.active_connection import Running
from app.store.links import former_twins
from app.store.pool import Connection
from app.store.queue.work import Cause, Claimed
from app.store.views import audit, twins
from app.sync.look.read_sides import judge
from app.sync.look.snapshot import Look
from app.sync.reconcile.keys_shown import shown
from app.sync.reconcile.loop import decisions_for
from app.sync.runtime.context import Context
from app.sync.runtime.refusals import Refused, site_failed

# Of the design's decision table (section 3), and what applies before the table is asked.
REASONS = {
    1: "the origin is not there: left alone",
    2: "the origin is there and the mirror is not: the mirror is made",
    3: "both are there and neither is ours: recorded, and left alone",
    4: "ours, and in step",
    5: "another account removed our mirror: on_mirror_removed decides",
    6: "another account's link took the place of our mirror: recorded, and left alone",
    7: "the origin is proven gone: our mirror goes, if mode, authorship and guard allow",
    8: "origin and our mirror are gone, another account's link stays: detached",
    9: "both are there and neither is ours: nothing to do",
    10: "one of two links that were not ours is gone: detached",
    11: "the origin is back beside our mirror: ours again",
    12: "detached: nothing is done",
    13: "suspended: nothing is planned until it is in scope again",
    14: "both are proven gone: forgotten",
    15: "not enough is known: waits for the next event or comparison",
}


@dataclass(frozen=True, slots=True)
class EndShown:
    """One side of the link. `link_id` None: not there, or not known."""

    type: LinkType
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None


@dataclass(frozen=True, slots=True)
class Explained:
    """`row` is the table's row, None where the table was not asked."""

    ends: Mapping[Side, EndShown]
    state: str | None
    origin: Side | None
    authorship: str | None
    row: int | None
    outcome: str
    reason: str
    evidence: Mapping[Side, Mapping[str, Any]] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()


async def explain(
    ctx: Context, connection_id: int, issue: str, *, confined: bool = False
) -> list[Explained]:
    """Every link of this issue, on either side. A caller who is *confined* to connections sees
    nothing of what Jira shows now on a side where the issue is out of scope, nor the key of another
    end that is: they may be another tenant's. Raises `Refused` where the issue has no twin here,
    `TransientError` where a site cannot be asked."""
    now = ctx.clock()
    state = await _under_todays_names(ctx, connection_id)
    async with ctx.database.connection() as conn:
        found = await twins.by_keys(conn, connection_id, [issue], confined=confined)
    if not found:
        raise Refused("twin_unknown", "the issue belongs to no twin of this connection")
    claimed = [_unclaimed(connection_id, twin, now) for twin in found[issue]]
    try:
        look, decisions = await decisions_for(ctx, state, claimed, dry=True)
    except (TransientError, PermanentError) as error:
        if error.code == "database_unavailable":
            raise
        raise site_failed(error) from error
    async with ctx.database.connection() as conn:
        missing = {twin for key in look.rows for twin in key.twins} - look.twins.keys()
        types = _Types({side: await site_types.of_site(conn, state.site(side)) for side in Side})
        hidden = _out_of_scope(look) if confined else frozenset()
        outside = list(_outside(look, types, hidden))
        look.know(await former_twins.by_ids(conn, connection_id, missing))
        known = [
            await _known(conn, look, key, decision, hidden)
            for key, decision in decisions.items()
            if not hidden or key in look.rows
        ]
        resting = [
            _unmapped(look, key, types)
            if look.pair_types(key) is None
            else await _known(conn, look, key, Nothing(13), hidden)
            for key in look.rows
            if key not in decisions
        ]
    found_links = [*known, *resting, *outside]
    return [_for_confined(look, it) for it in found_links] if confined else found_links


def _for_confined(look: Look, it: Explained) -> Explained:
    ends = {
        side: replace(
            end,
            source=shown(look, side, end.source),
            destination=shown(look, side, end.destination),
        )
        for side, end in it.ends.items()
    }
    return replace(it, ends=ends)


async def _under_todays_names(ctx: Context, connection_id: int) -> Running:
    """The connection, after its sites were asked what they call their link types now."""
    async with ctx.database.connection() as conn:
        state = await active_connection.load(conn, connection_id)
    if state is None:
        raise Refused("connection_unknown")
    for side in Side:
        # A site that cannot be asked is explained as such by the look.
        with suppress(TransientError, PermanentError):
            await (await ctx.sites.client(state.site(side))).assure()
    async with ctx.database.connection() as conn:
        return await active_connection.load(conn, connection_id) or state


@dataclass(frozen=True, slots=True)
class _Types:
    """The link types of both sites, mapped or not."""

    of: Mapping[Side, Sequence[LinkType]]

    def named(self, side: Side, type_id: TypeId) -> LinkType:
        """One that the site does not have any more has no name."""
        unnamed = LinkType(type_id, "", "", "")
        return next((kind for kind in self.of[side] if kind.id == type_id), unnamed)


def _out_of_scope(look: Look) -> frozenset[Side]:
    """Where an issue that is asked about is in no project of the connection now."""
    return frozenset(
        side
        for twin in look.claimed_twins()
        for side in Side
        if (view := look.readings[side].issues.get(twin.on(side).id)) is not None
        and not look.running.projects(side).hold(view)
    )


async def _known(
    conn: Connection, look: Look, key: LinkKey, decision: Decision, hidden: Collection[Side] = ()
) -> Explained:
    row = look.rows.get(key)
    pair = look.pair_types(key)
    assert pair is not None
    seen = {
        side: Unknown("out_of_scope")
        if side in hidden
        else judge(look, key, side, proven=side in look.assured)
        for side in Side
    }
    ends = {
        side: EndShown(pair.on(side), *look.ends(key, side), _link_id(seen[side])) for side in Side
    }
    history = await audit.of_link(
        conn,
        look.running.id,
        [
            (look.running.site_name(side), it.type.id, it.source.id, it.destination.id)
            for side, it in ends.items()
        ],
    )
    number = getattr(decision, "row", None)
    return Explained(
        ends=ends,
        state=None if row is None else row.state.value,
        origin=None if row is None else row.origin,
        authorship=None if row is None or row.authorship is None else row.authorship.value,
        row=number,
        outcome=outcome(decision),
        reason=_reason(decision, number),
        evidence={side: evidence(seen[side]) for side in Side},
        history=history,
    )


def outcome(decision: Decision) -> str:
    """The decision's name as a stable word."""
    match decision:
        case Nothing() | InStep() | Detach() | Forget() | Wait() | ManageAgain():
            words = type(decision).__name__
        case CreateMirror() | RemoveMirror() | RecordPreexisting():
            words = type(decision).__name__
        case Prove():
            words = "Wait"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", words).lower()


def evidence(seen: Observed) -> dict[str, Any]:
    """What a side showed, in words."""
    match seen:
        case Present(ids=ids, known_gone=known_gone, foreign=foreign, made=made):
            return {
                "seen": "present",
                "link_ids": sorted(ids, key=int),
                "known_gone": known_gone,
                "foreign": sorted(foreign, key=int),
                "made_by_us": sorted(made, key=int),
            }
        case Absent(evidence=proof):
            return {"seen": "absent", "proof": dict(proof)}
        case Unknown(reason=reason):
            return {"seen": "unknown", "reason": reason}
        case Unlisted():
            return {"seen": "unlisted"}


def _reason(decision: Decision, number: int | None) -> str:
    if isinstance(decision, Prove):
        return "its absence could not be proven: waits"
    words = REASONS.get(number or 0, "")
    return f"{words} ({decision.reason})" if isinstance(decision, Wait) else words


def _outside(look: Look, types: _Types, hidden: Collection[Side]) -> Iterable[Explained]:
    """Listed links without a key: the type is not mapped, or an end has no twin."""
    for side in Side:
        if side in hidden:
            continue
        listed = {link.id: link for link in look.listed(side)}
        known = {row.link_on(side) for row in look.rows.values()}
        for link in listed.values():
            if link.id not in known and look.key_of(side, link.type_id, link.ends) is None:
                yield _left_alone(look, side, link, types)


def _left_alone(look: Look, side: Side, link: Link, types: _Types) -> Explained:
    pair = look.running.config.pair_of(side, link.type_id)
    kind = types.named(side, link.type_id)
    end = EndShown(kind, link.source, link.destination, link.id)
    reason = "the other end has no twin" if pair else "the link type is not mapped"
    outcome = "no_twin" if pair else "not_mapped"
    return Explained({side: end}, None, None, None, None, outcome, reason)


def _unmapped(look: Look, key: LinkKey, types: _Types) -> Explained:
    """A ledger row whose type is no longer in the map: suspended, nothing is planned."""
    row = look.rows[key]
    ids = {Side.LEFT: key.left_type, Side.RIGHT: row.right_type}
    ends = {
        side: EndShown(types.named(side, ids[side]), *look.ends(key, side), row.link_on(side))
        for side in Side
    }
    return Explained(
        ends,
        row.state.value,
        row.origin,
        row.authorship.value if row.authorship else None,
        13,
        "nothing",
        "the link type is no longer mapped",
    )


def _link_id(seen: Observed) -> LinkId | None:
    return min(seen.ids, key=int) if isinstance(seen, Present) and seen.ids else None


def _unclaimed(connection_id: int, twin_id: int, now: datetime) -> Claimed:
    """An unclaimed pair, for looking only: nothing can be committed for it. Its reads give way to
    those of the work that is claimed."""
    cause = Cause("resync", "explain")
    return Claimed(
        connection_id=connection_id,
        twin_id=twin_id,
        generation=0,
        fence=0,
        look=True,
        causes=(),
        cause=cause,
        tries=0,
        bulk=True,
        dirty_since=now,
    )
