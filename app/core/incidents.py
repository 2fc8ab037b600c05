"""Incidents as values: what kinds there are, whom they may wake, and what is said of them.

| kind | impact | wakes | its condition |
|---|---|---|---|
| guard_tripped | minor | | latched until decided |
| mirrors_vanished | minor | | |
| write_unconfirmed | major | yes | a write open past fifteen minutes |
| outcome_corrected | major | | |
| audit_broken | critical | yes | |
| unmanaged_removed | critical | yes | |
| removal_unclear | major | | |
| deliveries_rejected | minor, major after ten minutes | then | flagged until a valid one comes |
| deliveries_astray | minor | | five came within a day, the last less than a day ago |
| site_identity_changed | major | | looks are refused |
| site_refused | major | | looks are refused |
| site_locked | major | | the site wants a CAPTCHA solved: no call leaves |
| token_expires | minor | | a site's token ends within seven days |
| project_unseen | major | | Jira refuses to search a project of a connection |
| circuit_open | major | | calls stopped for fifteen minutes, or nothing read for thirty |
| site_went_back | major | | until a person acknowledges it |
| database_went_back | major | | until a person acknowledges it |
| workers_absent | major | | work is due for two minutes and no worker gives a sign |
| installation_mismatch | major | | a worker says so every minute |

Holding is safe and can wait for the morning: only what may already have changed what it must
not, or may lose something, wakes anybody.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

Detail = Mapping[str, str | int]
"""Facts by name. What an issue's key is, has a name that ends in `key`, `keys` or `issues`:
it is shown to some roles only, and appears in no text."""

SERVICE = "twinlink"
"""Author of what the service writes into a timeline."""
GATHER: Final = timedelta(minutes=1)
QUIET: Final = timedelta(hours=24)
CORRELATED: Final = timedelta(minutes=30)
"""Removals that begin this soon after a change are taken to come of it."""


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


@dataclass(frozen=True, slots=True)
class Kind:
    """`wakes` from an impact of major on. `lasting`: it has a condition that the service sees
    end by itself; the others are over when a person says so."""

    title: str
    wakes: bool = False
    lasting: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "guard_tripped": Kind("The guard holds removals", lasting=True),
    "mirrors_vanished": Kind("Other accounts remove our mirrors"),
    "write_unconfirmed": Kind("The outcome of a write is not known", wakes=True, lasting=True),
    "outcome_corrected": Kind("A write that counted as failed had acted"),
    "audit_broken": Kind("The audit does not hold", wakes=True),
    "unmanaged_removed": Kind("A link that is not ours was removed by our account", wakes=True),
    "removal_unclear": Kind("Our account removed links whose author is unclear"),
    "deliveries_rejected": Kind("Deliveries are rejected", wakes=True, lasting=True),
    "deliveries_astray": Kind("Deliveries come to a wrong address", lasting=True),
    "site_identity_changed": Kind("Another Jira answers than the one pinned", lasting=True),
    "site_refused": Kind("A site does not let us in", lasting=True),
    "site_locked": Kind("A site wants a CAPTCHA solved", lasting=True),
    "token_expires": Kind("A token is about to expire", lasting=True),
    "project_unseen": Kind("Jira does not show us a project", lasting=True),
    "circuit_open": Kind("A site cannot be read", lasting=True),
    "site_went_back": Kind("A Jira went back in time"),
    "database_went_back": Kind("The database went back in time"),
    "workers_absent": Kind("No worker runs", lasting=True),
    "installation_mismatch": Kind("A worker belongs to another installation", lasting=True),
}


def kind_of(name: str) -> Kind:
    """Also of a kind that this version does not know: another one may have stored it."""
    return KINDS.get(name) or Kind(name.replace("_", " ").capitalize())


def wakes(kind: str, impact: Impact) -> bool:
    return kind_of(kind).wakes and impact.rank >= Impact.MAJOR.rank


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became active: `revision 3`, `engine twinlink/0.2.0`. `before` is the
    revision that it took the place of."""

    what: str
    at: datetime
    before: int | None = None


def correlated(first: datetime | None, changes: Iterable[Change]) -> Change | None:
    """The latest change after which what began at *first* began soon; None where none did."""
    if first is None:
        return None
    close = [it for it in changes if timedelta(0) <= first - it.at <= CORRELATED]
    return max(close, key=lambda it: it.at, default=None)


def gathers(at: datetime, detail: Detail, now: datetime, following: Detail) -> bool:
    """Whether the service's last entry, made *at* with *detail*, takes the following one in:
    within its minute, or because nothing is new."""
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
