"""Incidents as values: what kinds there are, whom they may wake, and what is said of them.

| kind | impact | wakes | its condition |
|---|---|---|---|
| guard_tripped | minor | | latched until decided |
| mirrors_vanished | minor | | |
| unpairings_held | minor | | a plan of them waits for a decision |
| write_unconfirmed | major | yes | a write open past fifteen minutes |
| outcome_corrected | major | | |
| audit_broken | critical | yes | |
| unmanaged_removed | critical | yes | |
| removal_unclear | major | | |
| deliveries_rejected | minor, major after ten minutes | then | flagged until a valid one comes |
| deliveries_astray | minor | | five came within a day, the last less than a day ago |
| site_identity_changed | major | | looks are refused |
| site_refused | major | | looks are refused |
| secret_misplaced | major; minor where no key opens it | if major | a worker says so every minute |
| site_locked | major | | the site wants a CAPTCHA solved: no call leaves |
| token_expires | minor | | a site's token ends within seven days |
| token_replaced | minor | | a site's second token took over, less than a day ago |
| project_unseen | major | | Jira refuses to search a project of a connection |
| pairs_at_rest | major | | more than half of the pairs of a project rest, of ten or more |
| circuit_open | major | | calls stopped for fifteen minutes, or nothing read for thirty |
| site_went_back | major | | until a person acknowledges it |
| database_went_back | major | | until a person acknowledges it |
| issues_held | minor | | removals are held for what they leave at three issues or more |
| pairs_parked | major | | three processes ended while they looked at a pair |
| workers_absent | major | | work is due for two minutes and no worker gives a sign |
| installation_mismatch | major | | a worker says so every minute |
| schema_mismatch | major | | a worker says so every minute |
| engine_differs | major | | a worker says so every few seconds |

Holding is safe and can wait for the morning. Only an incident in which something may have been
changed that must not be, or may get lost, wakes a person.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

Detail = Mapping[str, str | int]
"""Facts by name. The name of a fact that is an issue's key ends in `key`, `keys` or `issues`: it is
shown to some roles only, and appears in no text."""

SERVICE = "twinlink"
"""Author of what the service writes into a timeline."""
GATHER: Final = timedelta(minutes=1)
QUIET: Final = timedelta(hours=24)
CORRELATED: Final = timedelta(minutes=30)
"""Removals that begin this soon after a change are taken for its consequence."""


class State(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Impact(StrEnum):
    """Ordered."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Impact).index(self)


class IncidentKind(StrEnum):
    GUARD_TRIPPED = "guard_tripped"
    MIRRORS_VANISHED = "mirrors_vanished"
    UNPAIRINGS_HELD = "unpairings_held"
    WRITE_UNCONFIRMED = "write_unconfirmed"
    OUTCOME_CORRECTED = "outcome_corrected"
    AUDIT_BROKEN = "audit_broken"
    UNMANAGED_REMOVED = "unmanaged_removed"
    REMOVAL_UNCLEAR = "removal_unclear"
    DELIVERIES_REJECTED = "deliveries_rejected"
    DELIVERIES_ASTRAY = "deliveries_astray"
    SITE_IDENTITY_CHANGED = "site_identity_changed"
    SITE_REFUSED = "site_refused"
    SECRET_MISPLACED = "secret_misplaced"  # noqa: S105 - no password
    SITE_LOCKED = "site_locked"
    TOKEN_EXPIRES = "token_expires"  # noqa: S105 - no password
    TOKEN_REPLACED = "token_replaced"  # noqa: S105 - no password
    PROJECT_UNSEEN = "project_unseen"
    PAIRS_AT_REST = "pairs_at_rest"
    CIRCUIT_OPEN = "circuit_open"
    SITE_WENT_BACK = "site_went_back"
    DATABASE_WENT_BACK = "database_went_back"
    ISSUES_HELD = "issues_held"
    PAIRS_PARKED = "pairs_parked"
    WORKERS_ABSENT = "workers_absent"
    INSTALLATION_MISMATCH = "installation_mismatch"
    SCHEMA_MISMATCH = "schema_mismatch"
    ENGINE_DIFFERS = "engine_differs"


@dataclass(frozen=True, slots=True)
class Traits:
    """`wakes`: it goes to the pagers, from an impact of major on. `lasting`: it has a condition,
    and the service notices when that ends; the others end when a person resolves them."""

    title: str
    wakes: bool = False
    lasting: bool = False


KINDS: Final[Mapping[str, Traits]] = {
    IncidentKind.GUARD_TRIPPED: Traits("The guard holds removals", lasting=True),
    IncidentKind.MIRRORS_VANISHED: Traits("Other accounts remove our mirrors"),
    IncidentKind.UNPAIRINGS_HELD: Traits("Many pairs are to be let go at once", lasting=True),
    IncidentKind.WRITE_UNCONFIRMED: Traits(
        "The outcome of a write is not known", wakes=True, lasting=True
    ),
    IncidentKind.OUTCOME_CORRECTED: Traits("A write that counted as failed had acted"),
    IncidentKind.AUDIT_BROKEN: Traits("The audit does not hold", wakes=True),
    IncidentKind.UNMANAGED_REMOVED: Traits(
        "A link that is not ours was removed by our account", wakes=True
    ),
    IncidentKind.REMOVAL_UNCLEAR: Traits("Our account removed links whose author is unclear"),
    IncidentKind.DELIVERIES_REJECTED: Traits("Deliveries are rejected", wakes=True, lasting=True),
    IncidentKind.DELIVERIES_ASTRAY: Traits("Deliveries come to a wrong address", lasting=True),
    IncidentKind.SITE_IDENTITY_CHANGED: Traits(
        "Another Jira answers than the one pinned", lasting=True
    ),
    IncidentKind.SITE_REFUSED: Traits("A site does not let us in", lasting=True),
    IncidentKind.SECRET_MISPLACED: Traits(
        "A stored secret cannot be opened", wakes=True, lasting=True
    ),
    IncidentKind.SITE_LOCKED: Traits("A site wants a CAPTCHA solved", lasting=True),
    IncidentKind.TOKEN_EXPIRES: Traits("A token is about to expire", lasting=True),
    IncidentKind.TOKEN_REPLACED: Traits("A second token took over", lasting=True),
    IncidentKind.PROJECT_UNSEEN: Traits("Jira does not show us a project", lasting=True),
    IncidentKind.PAIRS_AT_REST: Traits("Most pairs of a project rest", lasting=True),
    IncidentKind.CIRCUIT_OPEN: Traits("A site cannot be read", lasting=True),
    IncidentKind.SITE_WENT_BACK: Traits("A Jira went back in time"),
    IncidentKind.DATABASE_WENT_BACK: Traits("The database went back in time"),
    IncidentKind.ISSUES_HELD: Traits("Many issues would lose their links", lasting=True),
    IncidentKind.PAIRS_PARKED: Traits("A pair ends its worker", lasting=True),
    IncidentKind.WORKERS_ABSENT: Traits("No worker runs", lasting=True),
    IncidentKind.INSTALLATION_MISMATCH: Traits(
        "A worker belongs to another installation", lasting=True
    ),
    IncidentKind.SCHEMA_MISMATCH: Traits("A worker expects another database schema", lasting=True),
    IncidentKind.ENGINE_DIFFERS: Traits(
        "A new version decides otherwise than those before it", lasting=True
    ),
}


def traits_of(kind: str) -> Traits:
    """Also of a kind that this version does not know: another one may have stored it."""
    return KINDS.get(kind) or Traits(kind.replace("_", " ").capitalize())


def wakes(kind: str, impact: Impact) -> bool:
    return traits_of(kind).wakes and impact.rank >= Impact.MAJOR.rank


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became active: `revision 3`, `engine twinlink/0.2.0`. `before` is the
    revision that it replaced."""

    what: str
    at: datetime
    before: int | None = None


def correlated(first: datetime | None, changes: Iterable[Change]) -> Change | None:
    """The latest change that *first* followed within `CORRELATED`; None without one."""
    if first is None:
        return None
    close = [it for it in changes if timedelta(0) <= first - it.at <= CORRELATED]
    return max(close, key=lambda it: it.at, default=None)


def gathers(at: datetime, detail: Detail, now: datetime, following: Detail) -> bool:
    """Whether the service's last entry, made *at* with *detail*, absorbs the following one, because
    that came within a minute or says nothing new."""
    return now - at < GATHER or dict(detail) == dict(following)


_KEYS = re.compile(r"(^|_)(keys?|issues?)$")
_ISSUE_KEY = re.compile(r"\b[A-Z][A-Z0-9_]*-[0-9]+\b")


def public(detail: Detail) -> dict[str, str | int]:
    """Without issue keys: for viewers, texts and messages."""
    return {
        name: value
        for name, value in detail.items()
        if not _KEYS.search(name) and not _ISSUE_KEY.search(str(value))
    }
