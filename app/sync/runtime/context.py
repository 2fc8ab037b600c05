"""What the use cases of the workers work with. Built in `wiring`, passed as an argument."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.jira.rates.circuit import Circuit, LocalCircuit
from app.store.pool import Database
from app.sync.runtime.create_slots import Turns
from app.sync.runtime.jira_clients import Sites
from app.sync.runtime.recording import Recording
from app.sync.runtime.suspects import Suspects
from app.sync.runtime.write_gate import Permit
from app.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Context:
    """`clock` gives our time, aware and in UTC; `engine` names this version in the audit."""

    database: Database
    sites: Sites
    metrics: Metrics
    clock: Callable[[], datetime]
    engine: str
    permit: Permit = field(default_factory=Permit)
    turns: Turns = field(default_factory=Turns)
    suspects: Suspects = field(default_factory=Suspects)
    circuit: Circuit = field(default_factory=LocalCircuit)
    recording: Recording = field(default_factory=Recording)
