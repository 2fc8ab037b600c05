"""A site put back to what it was: an administrator restores last night's backup.

Everything that Jira keeps in its database goes back, the counters that give out ids too: what is
made afterwards gets ids that were given out before. What tests measure by is kept: the log of
mutations, requests, credentials, and webhooks that are on their way.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from app.sandbox.site import STATE, JiraSite

_KEPT = frozenset({"credentials", "mutations", "random"})


@dataclass(frozen=True, slots=True)
class Backup:
    """What the database held when it was taken."""

    state: dict[str, Any]


def back_up(site: JiraSite) -> Backup:
    """Independent of the site: may be restored more than once."""
    return Backup(copy.deepcopy({key: getattr(site, key) for key in STATE if key not in _KEPT}))


def restore(site: JiraSite, backup: Backup) -> None:
    """The site goes back in time, and sends no event about it."""
    for key, value in copy.deepcopy(backup.state).items():
        setattr(site, key, value)
