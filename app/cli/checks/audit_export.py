"""Check an exported audit without the service: NDJSON in, a verdict out, in constant memory.

A line is a row of one of several interleaved chains, or the head of a chain. An export ends with
the heads at that time, and each chain must end exactly at its head. Heads that were kept elsewhere
may be older, and the chain must pass through them. A chain without a head is refused, because
nothing shows that its last rows are there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.chain import GENESIS, Break, Verifier


class Head(NamedTuple):
    chain: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Place:
    """A fault in a chain. `line` is None if the fault is at the end of the chain."""

    chain: str
    connection: str
    seq: int
    fault: str
    line: int | None


@dataclass(slots=True)
class _Chain:
    verifier: Verifier
    connection: str = ""
    broken: bool = False


@dataclass(slots=True)
class ChainCheck:
    """Feed it lines, then ask for the verdict. It ignores a chain after its first fault."""

    kept: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    rows: int = 0
    places: list[Place] = field(default_factory=list)
    _chains: dict[str, _Chain] = field(default_factory=dict)
    _own: set[Head] = field(default_factory=set)

    def feed(self, number: int, line: str) -> None:
        if not line.strip():
            return
        found = _parsed(line)
        match found:
            case {"prev_hash": str(), "chain": str(chain), "seq": int()}:
                self._row(number, self._chain(chain), found)
            case _ if heads := list(_heads(found)):
                self._own.update(heads)
            case {"incomplete": str()}:
                self.places.append(Place("", "", 0, "incomplete", number))
            case _:
                self.places.append(Place("", "", 0, "malformed", number))

    def finish(self) -> list[Place]:
        """The first fault of each broken chain; empty if all chains are whole."""
        for head in sorted(self._own):
            broken = self._chain(head.chain).verifier.finish(head.seq, head.hash)
            self._note(self._chain(head.chain), broken, None)
        for name, kept in self.kept.items():
            last = max(kept)
            chain = self._chain(name)
            if chain.verifier.seq < last:
                self._note(chain, Break(name, chain.verifier.seq + 1, "cut_off"), None)
        ended = {head.chain for head in self._own} | set(self.kept)
        for name, chain in self._chains.items():
            if name not in ended:
                self._note(chain, Break(name, chain.verifier.seq, "no_head"), None)
        return self.places

    def ends(self) -> list[dict[str, Any]]:
        """The last row of each chain that was checked, in the form of a head."""
        return [
            {
                "chain": name,
                "connection": chain.connection,
                "seq": chain.verifier.seq,
                "hash": chain.verifier.hash.hex(),
            }
            for name, chain in self._chains.items()
        ]

    def _chain(self, name: str) -> _Chain:
        if name not in self._chains:
            self._chains[name] = _Chain(Verifier(name))
            kept = self.kept.get(name, {}).get(0)
            if kept is not None and kept != GENESIS.hex():
                self._note(self._chains[name], Break(name, 0, "hash"), None)
        return self._chains[name]

    def _row(self, number: int, chain: _Chain, row: Mapping[str, Any]) -> None:
        self.rows += 1
        if chain.broken:
            return
        chain.connection = str(row.get("connection", ""))
        verifier = chain.verifier
        try:
            broken = verifier.step(row)
        except (KeyError, TypeError, ValueError):
            broken = Break(verifier.chain, verifier.seq + 1, "malformed")
        kept = self.kept.get(verifier.chain, {}).get(verifier.seq)
        if broken is None and kept is not None and kept != verifier.hash.hex():
            broken = Break(verifier.chain, verifier.seq, "hash")
        self._note(chain, broken, number)

    def _note(self, chain: _Chain, broken: Break | None, line: int | None) -> None:
        if broken is not None and not chain.broken:
            chain.broken = True
            place = Place(broken.chain, chain.connection, broken.seq, broken.fault, line)
            self.places.append(place)


def kept_heads(text: str) -> dict[str, dict[int, str]]:
    """Heads from a file, one JSON document or one head a line, by chain and sequence number.

    `ValueError` if the file holds none: a check against no heads would always succeed."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    kept: dict[str, dict[int, str]] = {}
    for document in documents:
        for head in _heads(document):
            kept.setdefault(head.chain, {})[head.seq] = head.hash
    if not kept:
        raise ValueError("the file holds no heads")
    return kept


def ended_early(line: str) -> str | None:
    """Why an export ends with this line before all of it was written; None if it does not."""
    found = _parsed(line)
    why = found.get("incomplete") if isinstance(found, dict) else None
    return None if why is None else str(why)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _heads(found: Any) -> Iterator[Head]:
    match found:
        case {"chain": str(chain), "seq": int(seq), "hash": str(hash_)}:
            yield Head(chain, seq, hash_)
        case {"head": one}:
            yield from _heads(one)
        case {"heads": list(many)} | {"items": list(many)}:
            yield from _each(many)
        case list():
            yield from _each(found)
        case _:
            return


def _each(many: Iterable[Any]) -> Iterator[Head]:
    for one in many:
        yield from _heads(one)
