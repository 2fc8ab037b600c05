"""How a site is called: one value for the client and the transport below it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
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
    to the client, `refused` where Jira refuses a token that has a successor, `locked` where it
    begins to want a person, `read_only` before every write. The address guard applies unless
    `allow_private`; for `ca_file`, `proxy` and `direct` see `Route`."""

    budget: Budget | None = None
    circuit: Circuit | None = None
    observe: Observer | None = None
    odd: Callable[[str], None] | None = None
    types: Follow | None = None
    refused: Tell | None = None
    locked: Tell | None = None
    read_only: Callable[[], bool] = _writable
    allow_private: bool = False
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    direct: tuple[str, ...] = ()
    timeout_seconds: float = 20.0
    now: Callable[[], datetime] = utc_now

    def route(self, site: SiteAccess) -> Route:
        """The way to *site*: its own where it has one, else the installation's."""
        way = Route(self.allow_private, self.ca_file, site.authorities, self.proxy, self.direct)
        if site.proxy is None:
            return way
        # Its administrator chose this proxy, not the operator: it is guarded like a site.
        return replace(way, proxy=site.proxy.url, direct=(), guarded=not self.allow_private)
