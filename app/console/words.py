"""What codes of the API mean, in a sentence for a person who has not read the design."""

from app.core.rendering.reason_words import because
from app.sync.reconcile.explain import REASONS

__all__ = ["because", "why"]


def why(reason: str | None) -> str:
    """Why a plan has a change: the row of the decision table in words, where it names one."""
    name, _, row = (reason or "").partition("_")
    if name == "row" and row.isdecimal() and int(row) in REASONS:
        return f"{REASONS[int(row)]} (row {row} of the decision table)"
    return because(reason)
