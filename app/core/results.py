"""What a look came to for one link: values that functions return and `settlement` matches.

================  ===========================================================================
`Created`       we made the mirror
`Preexisting`   the link that is there was made by another account
`Removed`       we removed the mirror
`Held`          waits in a plan, or for the guard, until a person decides
`Stale`         what the decision was based on has changed: look again at once
`Busy`          a write of this link is open: look again at once
`Elsewhere`     another row or connection manages this link and must settle first
`ModeForbids`   the connection's mode does not let this write be proposed
`Kept`          not removed: another account made it
`Moved`         not removed: another connection manages it now
`HeirNotReady`  not removed: another connection's origin keeps it, and that one is paused or
                its mode allows less
`Unexplained`   not removed: the origin is gone, and no changelog says that it was removed
`StillOpen`     sent, with an unknown outcome: a confirmation finds out
`Failed`        refused, for a reason of the link's own
`Retry`         not done, and worth another try
`SiteRefused`   the site is not the one that was pinned, or refuses us
================  ===========================================================================
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Created: ...


@dataclass(frozen=True, slots=True)
class Preexisting: ...


@dataclass(frozen=True, slots=True)
class Removed: ...


@dataclass(frozen=True, slots=True)
class Held: ...


@dataclass(frozen=True, slots=True)
class Stale: ...


@dataclass(frozen=True, slots=True)
class Busy: ...


@dataclass(frozen=True, slots=True)
class Elsewhere: ...


@dataclass(frozen=True, slots=True)
class ModeForbids: ...


@dataclass(frozen=True, slots=True)
class Kept: ...


@dataclass(frozen=True, slots=True)
class Moved: ...


@dataclass(frozen=True, slots=True)
class HeirNotReady: ...


@dataclass(frozen=True, slots=True)
class Unexplained: ...


@dataclass(frozen=True, slots=True)
class StillOpen: ...


@dataclass(frozen=True, slots=True)
class Failed:
    code: str


@dataclass(frozen=True, slots=True)
class Retry:
    code: str


@dataclass(frozen=True, slots=True)
class SiteRefused:
    code: str


Unsent: TypeAlias = Failed | Retry | SiteRefused
"""A request that certainly has not acted."""
Refused: TypeAlias = Held | Stale | Busy | Elsewhere | ModeForbids | Failed
"""Why a write was not started."""
Written: TypeAlias = Created | Preexisting | Stale | StillOpen | Failed | Retry | SiteRefused
"""What a POST came to."""
Deleted: TypeAlias = Removed | Stale | StillOpen | Failed | Retry | SiteRefused
"""What a DELETE, and the reads before it, came to."""
Result: TypeAlias = (
    Created
    | Preexisting
    | Removed
    | Held
    | Stale
    | Busy
    | Elsewhere
    | ModeForbids
    | Kept
    | Moved
    | HeirNotReady
    | Unexplained
    | StillOpen
    | Failed
    | Retry
    | SiteRefused
)
