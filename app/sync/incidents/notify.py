"""Sends what the outbox holds. Whatever happens here stops nothing else: a message that fails is
counted, logged without its URL, and tried again later.

A target is named by its place in the settings (`notify-1`, `page-2`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from app.core.errors import TwinlinkError
from app.store.alerts import notifications
from app.store.alerts.notifications import Due
from app.sync.incidents.apprise_sender import Carry, carry
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

# Longer than sending may take; a worker that dies meanwhile leaves it to the next one.
LEASE = timedelta(seconds=60)

# A version that may not write yet is of this installation, and its messages are.
_SAYS_WHY = {
    None: "",
    "schema_mismatch": "schema_mismatch:",
    "engine_unchecked": "",
    "engine_differs": "",
}
"""Of a worker's permit: which messages, by the beginning of their key, a worker may send."""


@dataclass(frozen=True, slots=True)
class Targets:
    """URLs by name. `notify` get everything, `page` only what may wake a person."""

    notify: Mapping[str, str] = field(default_factory=dict, repr=False)
    page: Mapping[str, str] = field(default_factory=dict, repr=False)
    per_minute: int = 6
    carry: Carry = carry

    @classmethod
    def of(cls, notify: Sequence[str], page: Sequence[str], per_minute: int) -> "Targets":
        return cls(_named("notify", notify), _named("page", page), per_minute)

    @property
    def all(self) -> dict[str, str]:
        return {**self.page, **self.notify}


def _named(prefix: str, urls: Sequence[str]) -> dict[str, str]:
    return {f"{prefix}-{number}": url for number, url in enumerate(urls, start=1)}


async def run_once(ctx: Context, targets: Targets) -> int:
    """Send what is due; answers how many messages went. A worker that may not write sends only
    why: what else a copied outbox holds is another installation's to say."""
    only = _SAYS_WHY.get(ctx.permit.refused_for, "installation_mismatch:")
    async with ctx.database.transaction() as conn:
        now = ctx.clock()
        late = await notifications.expire(conn, now)
        ctx.metrics.notifications.labels("expired").inc(late)
        while await notifications.address(
            conn, list(targets.notify), list(targets.page), now, only=only
        ):
            pass
    sent = 0
    for target, url in targets.all.items():
        while (due := await _claim(ctx, targets, target, only)) is not None:
            sent += await _send(ctx, targets, url, due)
    return sent


async def _claim(ctx: Context, targets: Targets, target: str, only: str) -> Due | None:
    async with ctx.database.transaction() as conn:
        return await notifications.claim(
            conn,
            target,
            ctx.clock(),
            per_minute=targets.per_minute,
            lease=LEASE,
            only=only,
        )


async def _send(ctx: Context, targets: Targets, url: str, due: Due) -> bool:
    try:
        await targets.carry(url, due.title, _body(due))
    except Exception as error:
        code = error.code if isinstance(error, TwinlinkError) else type(error).__name__
        await _failed(ctx, due, code)
        return False
    async with ctx.database.transaction() as conn:
        await notifications.sent(conn, due, ctx.clock())
    ctx.metrics.notifications.labels("sent").inc()
    ctx.metrics.notifications.labels("suppressed").inc(due.suppressed)
    return True


async def _failed(ctx: Context, due: Due, code: str) -> None:
    async with ctx.database.transaction() as conn:
        over = await notifications.failed(conn, due, ctx.clock())
    ctx.metrics.notifications.labels("failed" if over else "retried").inc()
    _LOG.warning("notification_failed", target=due.target, code=code, tries=due.tries, over=over)


def _body(due: Due) -> str:
    if not due.suppressed:
        return due.body
    return f"{due.body}\n({due.suppressed} more of this since the last message were not sent.)"
