"""Pairs whose last claim was lost with its process: one claim of them at a time in a process.

If one of them ends this process too, it takes no other suspect with it: each time its process ends
counts for a pair, and a pair is parked for what it did itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """`mine`: this pass may claim suspects."""

    def __init__(self, suspects: "Suspects") -> None:
        self._suspects = suspects
        self.mine = not suspects.tried
        suspects.tried = True

    def end(self) -> None:
        """At the end of the pass, or as soon as its claim brought none."""
        if self.mine:
            self._suspects.tried = self.mine = False


class Suspects:
    def __init__(self) -> None:
        self.tried = False

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        turn = Turn(self)
        try:
            yield turn
        finally:
            turn.end()
