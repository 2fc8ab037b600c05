"""Questions to a person, counted, and asked again where an answer cannot be used."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import typer

from app.cli.output import output
from app.cli.output.errors import CommandError

T = TypeVar("T")
_TRIES = 5


class Prompts:
    """`answers` counts what a person typed."""

    def __init__(self) -> None:
        self.answers = 0

    def text(self, question: str, *, default: str | None = None, hidden: bool = False) -> str:
        self.answers += 1
        said: str = typer.prompt(question, default=default, hide_input=hidden, err=True)
        return said.strip()

    def choice(self, question: str, choices: Mapping[str, str]) -> str:
        """One of the keys of *choices*, by name or by number; the values explain them."""
        names = list(choices)
        for number, name in enumerate(names, start=1):
            output.note(f"  {number}  {name}: {choices[name]}")
        said = self.text(question)
        if said.isdecimal() and 1 <= int(said) <= len(names):
            return names[int(said) - 1]
        if said not in choices:
            raise CommandError(f"{said!r} is none of {', '.join(names)}")
        return said

    def yes(self, question: str, *, default: bool = True) -> bool:
        self.answers += 1
        return typer.confirm(question, default=default, err=True)

    def until_right(self, ask: Callable[[], T]) -> T:
        """What *ask* returns; what it refuses is said, and asked again a few times."""
        for left in reversed(range(_TRIES)):
            try:
                return ask()
            except CommandError as error:
                if not left:
                    raise
                output.complain(error)
        raise AssertionError("the last try raises")
