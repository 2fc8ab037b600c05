"""What the database shows to be wrong, at one place."""

from dataclasses import dataclass
from datetime import datetime

from app.core.incidents import Detail, Impact, IncidentKind
from app.store.alerts.incidents import Place


@dataclass(frozen=True, slots=True)
class Condition:
    """True from `since` on: an incident resolved later than that covers it. Only a `certain`
    condition opens an incident; others keep an open one open."""

    kind: IncidentKind
    place: Place
    since: datetime
    impact: Impact
    detail: Detail
    certain: bool = True
