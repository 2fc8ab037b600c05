"""What the API refused of a form, at the field that is to blame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.console.api import Refused

Where = Callable[[str], str | None]
"""The form's field of a JSON pointer into what was sent; None where the form has none for it."""
_FIELDS = frozenset({400, 404, 409, 412, 422, 429, 503})
"""Refusals after which the same form can be sent again; the others are a page of their own."""


@dataclass(frozen=True, slots=True)
class Faults:
    """`rest` is what no field of the form is to blame for."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rest: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.fields or self.rest)

    def at(self, name: str) -> Sequence[str]:
        return self.fields.get(name, ())


NONE: Final = Faults()


def one(name: str, words: str) -> Faults:
    return Faults({name: [words]})


def faults_of(refused: Refused, where: Where) -> Faults:
    """Raises *refused* again where the form is not to blame."""
    if refused.status not in _FIELDS:
        raise refused
    said = refused.problem
    fields: dict[str, list[str]] = {}
    rest: list[str] = []
    for error in said.get("errors") or []:
        pointer, detail = str(error.get("pointer", "")), str(error.get("detail", ""))
        name = where(pointer)
        if name is None:
            rest.append(f"{pointer} {detail}".strip())
        else:
            fields.setdefault(name, []).append(detail)
    if not fields and not rest:
        title, detail = str(said.get("title") or ""), str(said.get("detail") or "")
        rest = [title if detail in ("", title) else f"{title}: {detail}"]
    return Faults(fields, rest)


def by_pointer(names: Mapping[str, str]) -> Where:
    """By the longest of *names* that the pointer is, or lies below."""

    def where(pointer: str) -> str | None:
        steps = pointer.split("/")
        for length in range(len(steps), 1, -1):
            name = names.get("/".join(steps[:length]))
            if name is not None:
                return name
        return None

    return where
