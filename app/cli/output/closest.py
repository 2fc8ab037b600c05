"""What a person meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.6
"""`difflib`'s own measure: one or two letters wrong in a short name."""


def did_you_mean(said: str, known: Iterable[str]) -> str:
    """`did you mean 'left'?`; empty where no name is like it. Upper and lower case are alike."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(said.strip().casefold(), names, n=1, cutoff=_ALIKE)
    return f"did you mean {names[close[0]]!r}?" if close else ""
