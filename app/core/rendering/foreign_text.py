"""Text that others wrote, on its way into ours: it steers no terminal, formats nothing in Markdown
and is no formula in a spreadsheet."""

import re

_MARKUP = re.compile(r"[\\`*_\[\]<>#!|~@:&$]")
_FORMULA = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """One line without control characters, escape sequences and marks that turn the direction."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def in_markdown(text: str) -> str:
    """As it reads, also in a table: no link, no image, no mention, no emphasis and no HTML."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", plain(text))


def in_csv(text: str) -> str:
    """A cell that a spreadsheet shows and does not compute."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
