"""The text of a twin field: the other issue's key, or an address that leads to it.

=====================================================  =========================
text                                                   key
=====================================================  =========================
`B-7`, `b-7`, white space around it                `B-7`
`https://host/context/browse/B-7` (query, fragment)  `B-7`
`https://host/any/board?selectedIssue=B-7`           `B-7`
both of the latter, and they differ                    none
anything else                                          none
=====================================================  =========================

It errs towards none: a text that is not understood pairs nothing.
"""

import re
from collections.abc import Iterable

from app.core.links import IssueKey

# No IGNORECASE: Unicode folds a Kelvin sign to a k, and no key of Jira's holds one.
_KEY = r"[A-Za-z][A-Za-z0-9_]{0,254}-[0-9]{1,18}"
_BARE = re.compile(_KEY)
_ADDRESS = re.compile(
    r"https?://(?P<place>[^/?#\s@]+(?:/[^?#\s]*)?)(?:\?(?P<query>[^#\s]*))?(?:#\S*)?", re.ASCII
)
_BROWSE = re.compile(rf"(?:.*/)?browse/({_KEY})/?")
_SELECTED = re.compile(rf"selectedIssue=({_KEY})")


def twin_key(text: str) -> IssueKey | None:
    """The key that *text* names, in capitals. See the table above."""
    stripped = text.strip()
    if _BARE.fullmatch(stripped):
        return IssueKey(stripped.upper())
    address = _ADDRESS.fullmatch(stripped)
    if address is None:
        return None
    _, _, path = address["place"].partition("/")
    browse = _BROWSE.fullmatch(path)
    named = {browse[1].upper()} if browse else set()
    for part in (address["query"] or "").split("&"):
        selected = _SELECTED.fullmatch(part)
        if selected:
            named.add(selected[1].upper())
    return IssueKey(named.pop()) if len(named) == 1 else None


def leads_to(text: str, bases: Iterable[str]) -> bool:
    """Whether *text* is no address at all, or one below one of *bases*.

    Two sites may both have a B-7: an address of a third one must not pair with ours.
    """
    place = _place(text)
    if place is None:
        return True
    known = [base for base in map(_place, bases) if base is not None]
    return any(place == base or place.startswith(f"{base}/") for base in known)


def _place(text: str) -> str | None:
    """Host and path of an address, without scheme and trailing slash; hosts have no case."""
    address = _ADDRESS.fullmatch(text.strip())
    if address is None:
        return None
    host, slash, path = address["place"].partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/")
