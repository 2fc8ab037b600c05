"""The measurements of the drill next to the figures of the incident's public report."""

from app.demo.drill.scene import Figures
from app.demo.teller import Teller

_INCIDENT = ("customers reported it", "not known", "4 h 16 min", "6 d 19 h")


def tell_figures(it: Figures, tell: Teller) -> None:
    noticed, told = it.noticed - it.first_deletion, it.told - it.first_deletion
    here = (
        f"{noticed:.1f} s after the first deletion; told after {told:.1f} s",
        f"{it.removed} of {it.deleted}; the limit is {it.limit}",
        f"{it.rolled_back - it.noticed:.1f} s; the call took {it.roll_back_took:.2f} s",
        f"{it.restored - it.first_deletion:.0f} s after the first deletion",
    )
    names = (
        "noticed",
        "links removed before the hold",
        "from noticed to rolled back",
        "everything restored and verified",
    )
    rows = list(zip(names, _INCIDENT, here, strict=True))
    tell.gap()
    tell.table(("", "the incident", "this drill"), rows)


def document(it: Figures) -> dict[str, float | int]:
    """Seconds and counts."""
    return {
        "detection_seconds": round(it.noticed - it.first_deletion, 2),
        "notification_seconds": round(it.told - it.first_deletion, 2),
        "deleted": it.deleted,
        "removed": it.removed,
        "limit": it.limit,
        "roll_back_seconds": round(it.rolled_back - it.noticed, 2),
        "roll_back_call_seconds": round(it.roll_back_took, 3),
        "restoration_seconds": round(it.restored - it.first_deletion, 2),
    }
