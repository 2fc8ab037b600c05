"""From decisions and results to how each pair's look ended."""

import random
from collections.abc import Iterable, Mapping
from datetime import datetime

from app.core.config import OnIssueDeleted
from app.core.diff import Decision, Prove, Wait
from app.core.ledger import LinkKey
from app.core.links import Side
from app.store.queue.work import Claimed, Settlement, Tally
from app.sync.look import scope
from app.sync.look.snapshot import Look
from app.sync.runtime.context import Context

# Unknown: three tries, then the next event or comparison (design section 3). Seconds.
TRIES = (1.0, 5.0, 25.0)
# Somebody else moved first, or is writing this link right now.
SOON = 0.3
SITE_AGAIN = 60.0


def back_off(claimed: Claimed, now: datetime) -> float:
    """Seconds until a failed call is tried again: half of the pair's age so far, so the tries
    thin out, with some chance, so that pairs put off together do not come back together."""
    age = max(0.0, (now - claimed.dirty_since).total_seconds())
    return min(60.0, max(0.5, age / 2)) * random.uniform(0.75, 1.25)  # noqa: S311


def broken(claimed: Claimed) -> Settlement:
    """Our code broke on this pair. What did it may be over at the next try; after all tries it
    is shown, and rests until something changes or somebody asks."""
    if claimed.tries < len(TRIES):
        return Settlement(claimed, again=TRIES[claimed.tries])
    return Settlement(claimed, failure="internal")


_TALLIED = {"created": "created", "removed": "removed", "held": "held"}
_SOON = frozenset({"stale", "busy"})


async def settlements(
    ctx: Context,
    look: Look,
    decisions: Mapping[LinkKey, Decision],
    results: Mapping[LinkKey, str],
) -> list[Settlement]:
    """One settlement a claimed pair, from all of its links; the worst word counts."""
    ended = {twin_id: Settlement(it) for twin_id, it in look.pairs.items()}
    for key, word in results.items():
        mine = [ended[twin] for twin in key.twins if twin in ended]
        _tally(mine[0].tally, word)
        for it in mine:
            _apply_word(it, word, ctx.clock())
    unknown = _unknown(look, decisions)
    orphaned = await _orphan_unseen(ctx, look, _waiting_keys(decisions))
    for twin_id, reason in unknown.items():
        _apply_unknown(ended[twin_id], reason)
    if orphaned and look.running.config.on_issue_deleted is OnIssueDeleted.REMOVE:
        # What may now be removed is proposed by the next look.
        for twin_id in {twin for key in orphaned for twin in key.twins} & ended.keys():
            ended[twin_id].again = SOON
    for it in ended.values():
        if it.again is not None:
            # Something of the pair is tried again; what has failed shows when that is over.
            it.failure = None
            if not (it.waiting or "").startswith("site:"):
                it.waiting = None
    return list(ended.values())


def _tally(tally: Tally, word: str) -> None:
    field = _TALLIED.get(word, "failed" if word.startswith("failed:") else "skipped")
    setattr(tally, field, getattr(tally, field) + 1)


def _apply_word(it: Settlement, word: str, now: datetime) -> None:
    """A failure shows; a retry comes back with back-off; a race comes back at once. A site that is
    not the one that was pinned is said, and asked again in a minute."""
    kind, _, code = word.partition(":")
    if kind == "failed":
        it.failure = code
    elif kind == "retry":
        it.again = max(it.again or 0.0, back_off(it.claimed, now))
        it.count_try = False
    elif kind == "site":
        it.again, it.waiting, it.count_try = SITE_AGAIN, word, False
    elif word in _SOON:
        it.again = max(it.again or 0.0, SOON)
    elif word == "elsewhere":
        _apply_unknown(it, "managed_elsewhere")
    elif word == "mode":
        it.waiting = "mode"


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


def _tries_over(look: Look, key: LinkKey) -> bool:
    claimed = [look.pairs[twin] for twin in key.twins if twin in look.pairs]
    return all(it.tries >= len(TRIES) for it in claimed)


async def _orphan_unseen(ctx: Context, look: Look, keys: Iterable[LinkKey]) -> list[LinkKey]:
    """Links with an end that still does not come back after all tries rest as orphans."""
    unseen = [key for key in keys if key in look.rows and _end_unseen(look, key)]
    over = [key for key in unseen if _tries_over(look, key)]
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
