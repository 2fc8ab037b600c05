"""The sandbox's own log: changes, their authors, and requests. Nothing else writes here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

MutationKind = Literal["created", "removed"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One link made or removed. `request` is None for people in the browser."""

    at: int
    kind: MutationKind
    actor: str
    link_id: int
    type_id: int
    type_name: str
    source: int
    destination: int
    source_key: str
    destination_key: str
    request: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One REST call. `status` 0 means that the caller got no answer (dropped, timed out)."""

    id: str
    at: int
    method: str
    path: str
    endpoint: str
    status: int
    account: str | None
    fault: str | None


@dataclass(slots=True)
class MutationLog:
    """Append-only; `select` reads it."""

    entries: list[Mutation] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Mutation]:
        return iter(self.entries)

    def select(
        self,
        kind: MutationKind | None = None,
        actor: str | None = None,
        link_id: int | None = None,
        since: int = 0,
    ) -> list[Mutation]:
        """Entries from position `since` on (`len(log)` taken earlier is a mark)."""
        return [
            entry
            for entry in self.entries[since:]
            if (kind is None or entry.kind == kind)
            and (actor is None or entry.actor == actor)
            and (link_id is None or entry.link_id == link_id)
        ]


@dataclass(slots=True)
class RequestLog:
    """Every call to REST, with totals per endpoint that cost nothing to read.

    `keep` off leaves only the counters, for benchmarks and soaks.
    """

    entries: list[RequestRecord] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    keep: bool = True

    def __len__(self) -> int:
        return sum(self.counts.values())

    def add(self, served: RequestRecord) -> None:
        self.counts[f"{served.method} {served.endpoint}"] += 1
        if self.keep:
            self.entries.append(served)

    def count(
        self,
        method: str | None = None,
        endpoint: str | None = None,
        account: str | None = None,
        since: int = 0,
    ) -> int:
        """How many calls match; `endpoint` is a template such as `/issueLink/{id}`."""
        return len(self.select(method, endpoint, account, since))

    def select(
        self,
        method: str | None = None,
        endpoint: str | None = None,
        account: str | None = None,
        since: int = 0,
    ) -> list[RequestRecord]:
        return [
            entry
            for entry in self.entries[since:]
            if (method is None or entry.method == method)
            and (endpoint is None or entry.endpoint == endpoint)
            and (account is None or entry.account == account)
        ]

    def clear(self) -> None:
        self.entries.clear()
        self.counts.clear()
