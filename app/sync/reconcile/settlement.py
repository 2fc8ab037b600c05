"""From decisions and results to how each pair's look ended."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from app.core.config import OnIssueDeleted
from app.core.diff import Decision, Prove, Wait
from app.core.ledger import LinkKey
from app.core.links import Side
from app.core.results import (
    Busy,
    Created,
    Elsewhere,
    Failed,
    HeirNotReady,
    Held,
    Kept,
    ModeForbids,
    Moved,
    Preexisting,
    Removed,
    Result,
    Retry,
    SiteRefused,
    Stale,
    StillOpen,
    Unexplained,
)
from app.store.queue.work import Claimed, Settlement, Tally
from app.sync.look import scope
from app.sync.look.snapshot import TRIES, Look
from app.sync.runtime.context import Context

# Another worker moved first, or is writing this link right now.
SOON = 0.3
SITE_AGAIN = 60.0


def back_off(claimed: Claimed, now: datetime) -> float:
    """Seconds until a failed call is tried again: half of the pair's age so far, so the tries
    thin out, with some chance, so that pairs put off together do not come back together."""
    age = max(0.0, (now - claimed.dirty_since).total_seconds())
    return min(60.0, max(0.5, age / 2)) * random.uniform(0.75, 1.25)  # noqa: S311


def put_off(claimed: Sequence[Claimed], least: float, now: datetime) -> list[Settlement]:
    """In two halves, each to a time of its own. What failed by chance costs two reads more, not a
    read a pair; an issue that breaks every read it is part of is alone after a few tries."""
    half = (len(claimed) + 1) // 2
    ended = []
    for part in (claimed[:half], claimed[half:]):
        delay = max([least, *(back_off(it, now) for it in part)])
        ended += [Settlement(it, again=delay, count_try=False) for it in part]
    return ended


def broken(claimed: Claimed) -> Settlement:
    """Our code broke on this pair. What did it may be over at the next try; after all tries it
    is shown, and waits until something changes or a person asks."""
    if claimed.tries < len(TRIES):
        return Settlement(claimed, again=TRIES[claimed.tries])
    return Settlement(claimed, failure="internal")


def unreadable(claimed: Claimed) -> Settlement:
    """The site answers for other issues and fails on this pair's. Tried as often as `broken`."""
    if claimed.tries < len(TRIES):
        return Settlement(claimed, again=TRIES[claimed.tries])
    return Settlement(claimed, failure="server_error")


def worker_lost(claimed: Claimed) -> Settlement:
    """The process that looked at this pair ended, each time. It waits until something changes or a
    person asks, and is then tried once, alone."""
    return Settlement(claimed, failure="worker_lost")


async def settlements(
    ctx: Context,
    look: Look,
    decisions: Mapping[LinkKey, Decision],
    results: Mapping[LinkKey, Result],
) -> list[Settlement]:
    """One settlement a claimed pair, from all of its links; the worst result counts."""
    ended = {twin_id: Settlement(it) for twin_id, it in look.pairs.items()}
    refused: dict[int, str] = {}
    counted: set[int] = set()
    for key, result in results.items():
        mine = [ended[twin] for twin in key.twins if twin in ended]
        _tally(mine[0].tally, result)
        for it in mine:
            _apply(it, result, ctx.clock())
            if isinstance(result, SiteRefused):
                refused[it.claimed.twin_id] = _site_waits(result.code)
            if isinstance(result, Unexplained):
                counted.add(it.claimed.twin_id)
    unknown = _unknown(look, decisions)
    orphaned = await _orphan_unseen(ctx, look, _waiting_keys(decisions))
    for twin_id, reason in unknown.items():
        _apply_unknown(ended[twin_id], reason)
    if orphaned and look.running.config.on_issue_deleted is OnIssueDeleted.REMOVE:
        # What may now be removed is proposed by the next look.
        for twin_id in {twin for key in orphaned for twin in key.twins} & ended.keys():
            ended[twin_id].again = SOON
    for it in ended.values():
        it.count_try = it.count_try or it.claimed.twin_id in counted
        if it.again is not None:
            # Something of the pair is tried again; what has failed shows when that is over.
            it.failure = None
            it.waiting = refused.get(it.claimed.twin_id)
    return list(ended.values())


def _tally(tally: Tally, result: Result) -> None:
    match result:
        case Created():
            tally.created += 1
        case Removed():
            tally.removed += 1
        case Held():
            tally.held += 1
        case Failed():
            tally.failed += 1
        case (
            Preexisting() | Stale() | Busy() | Elsewhere() | ModeForbids() | Kept() | Moved()
            | HeirNotReady() | Unexplained() | StillOpen() | Retry() | SiteRefused()
        ):  # fmt: skip
            tally.skipped += 1
        case other:
            assert_never(other)


def _apply(it: Settlement, result: Result, now: datetime) -> None:
    """A failure shows; a retry comes back with back-off; a race comes back at once. A site that is
    not the one that was pinned is said, and asked again in a minute."""
    match result:
        case Failed(code):
            it.failure = code
        case Retry():
            it.again = max(it.again or 0.0, back_off(it.claimed, now))
            it.count_try = False
        case SiteRefused(code):
            it.again, it.waiting, it.count_try = SITE_AGAIN, _site_waits(code), False
        case Stale() | Busy():
            it.again = max(it.again or 0.0, SOON)
        case Elsewhere():
            _apply_unknown(it, "managed_elsewhere")
        case Unexplained():
            _apply_unexplained(it)
        case ModeForbids():
            it.waiting = "mode"
        case HeirNotReady():
            it.waiting = "heir"
        case Created() | Preexisting() | Removed() | Held() | Kept() | Moved() | StillOpen():
            pass
        case other:
            assert_never(other)


def _apply_unexplained(it: Settlement) -> None:
    """Also beside what has failed: this look is one of its tries, and after the last it is held."""
    if it.claimed.tries < len(TRIES):
        it.again = max(it.again or 0.0, TRIES[it.claimed.tries])
    else:
        _apply_unknown(it, "origin_removal_unseen")


def site_refused(claimed: Claimed, code: str) -> Settlement:
    """Credentials, another Jira: nothing is wrong with this pair. Once a minute."""
    return Settlement(claimed, again=SITE_AGAIN, waiting=_site_waits(code), count_try=False)


def _site_waits(code: str) -> str:
    return f"site:{code}"


def _waiting_keys(decisions: Mapping[LinkKey, Decision]) -> dict[LinkKey, str]:
    reasons = {}
    for key, decision in decisions.items():
        if isinstance(decision, Wait):
            reasons[key] = decision.reason
        elif isinstance(decision, Prove):
            reasons[key] = "not_proven"
    return reasons


def _unknown(look: Look, decisions: Mapping[LinkKey, Decision]) -> dict[int, str]:
    """Why a claimed pair does not know enough: one of its links waits, or its own issue did
    not come back."""
    reasons: dict[int, str] = {}
    for twin in look.claimed_twins():
        for side in Side:
            unread = look.readings[side].unread.get(twin.on(side).id)
            if unread is not None:
                reasons[twin.id] = f"issue_{unread}"
    for key, reason in _waiting_keys(decisions).items():
        for twin_id in key.twins:
            if twin_id in look.pairs:
                reasons.setdefault(twin_id, reason)
    return reasons


async def _orphan_unseen(ctx: Context, look: Look, keys: Iterable[LinkKey]) -> list[LinkKey]:
    """Links with an end that still does not come back after all tries become orphans."""
    unseen = [key for key in keys if key in look.rows and _end_unseen(look, key)]
    over = [key for key in unseen if look.tries_over(key)]
    if over:
        await scope.orphan(ctx, look, over, "issue_not_returned")
    return over


def _end_unseen(look: Look, key: LinkKey) -> bool:
    return any(
        look.readings[side].unread.get(look.twins[twin].on(side).id) == "not_returned"
        for twin in key.twins
        for side in Side
    )


def _apply_unknown(it: Settlement, reason: str) -> None:
    if it.failure is not None:
        return
    if it.claimed.tries < len(TRIES):
        it.again = max(it.again or 0.0, TRIES[it.claimed.tries])
    else:
        it.waiting = f"unknown:{reason}"
