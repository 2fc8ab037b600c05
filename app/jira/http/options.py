"""How a site is called: one value for the client and the transport below it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core.links import LinkType
from app.jira.http.access import SiteAccess
from app.jira.http.lockout import Tell
from app.jira.http.network import Route
from app.jira.http.response import CallRecord
from app.jira.rates.budget import Budget
from app.jira.rates.circuit import Circuit

Observer = Callable[[CallRecord], None]
Follow = Callable[[SiteAccess, Sequence[LinkType]], Awaitable[None]]


def utc_now() -> datetime:
    return datetime.now(UTC)


def _writable() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`observe` is called once per request that was sent, `odd` with a word for an answer that
    contradicts an earlier one, `types` with the link types of the pinned site where they are new
    to the client, `locked` where Jira begins to want a person, `read_only` before
    every write. The address guard applies unless `allow_private`;
    for `ca_file`, `proxy` and `direct` see `Route`."""

    budget: Budget | None = None
    circuit: Circuit | None = None
    observe: Observer | None = None
    odd: Callable[[str], None] | None = None
    types: Follow | None = None
    locked: Tell | None = None
    read_only: Callable[[], bool] = _writable
    allow_private: bool = False
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    direct: tuple[str, ...] = ()
    timeout_seconds: float = 20.0
    now: Callable[[], datetime] = utc_now

    @property
    def route(self) -> Route:
        return Route(self.allow_private, self.ca_file, self.proxy, self.direct)
