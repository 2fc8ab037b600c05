"""How much of it. `make soak` passes its arguments through the environment."""

import os
from dataclasses import dataclass
from typing import Self

LEASE_SECONDS = 8.0
"""Short, so that a worker can be stopped past it many times in a soak."""


@dataclass(frozen=True, slots=True)
class Size:
    """`events` are acts of people; each brings one or more deliveries, echoes included."""

    events: int = 5000
    kills: int = 40
    stops: int = 10
    flushes: int = 3
    restarts: int = 2
    seed: int = 1

    @classmethod
    def of_environment(cls) -> Self:
        """`TWINLINK_TEST_SOAK_EVENTS` and so on; what is not said stays as it is above."""
        names = cls.__dataclass_fields__
        said = {name: os.environ.get(f"TWINLINK_TEST_SOAK_{name.upper()}") for name in names}
        return cls(**{name: int(text) for name, text in said.items() if text})

    @property
    def twins(self) -> int:
        """Enough links per issue that the guard of one issue never sees most of them go."""
        return max(60, self.events // 12)
