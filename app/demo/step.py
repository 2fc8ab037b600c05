"""A step of a story."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.demo.teller import Teller

S = TypeVar("S")
"""What the story is played on."""


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """`act` answers what was seen, in a few words."""

    title: str
    act: Callable[[S, Teller], Awaitable[str]]
