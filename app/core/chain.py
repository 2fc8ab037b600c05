"""The audit's hash chain: canonical JSON in, digests out. An export can be checked offline.

A row's hash is SHA-256 over the hash before it and the row's canonical JSON: UTF-8, keys
sorted, no white space, times as RFC 3339 UTC with microseconds, ids as text, hashes left out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = bytes(32)
# The fields of an exported row that are not part of what is hashed.
UNHASHED = frozenset({"id", "prev_hash", "hash"})


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, always six digits of a second: one text for one instant."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> bytes:
    """The one text of a JSON value. Floats are refused: they have more than one."""
    _refuse_floats(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical form: a plan's digest, a request's fingerprint."""
    return hashlib.sha256(canonical(value)).hexdigest()


def link(previous: bytes, row: Mapping[str, Any]) -> bytes:
    """The hash of *row* (an export's fields) as the successor of *previous*."""
    body = {name: value for name, value in row.items() if name not in UNHASHED}
    return hashlib.sha256(previous + canonical(body)).digest()


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold: the connection's id, the sequence number, and what is wrong:
    `gap`, `prev_hash`, `hash`, `cut_off` or `beyond_head`."""

    chain: str
    seq: int
    fault: str


@dataclass(slots=True)
class Verifier:
    """Feed it the rows of one chain in order; it answers at the first place that fails."""

    chain: str
    seq: int = 0
    hash: bytes = GENESIS

    def step(self, row: Mapping[str, Any]) -> Break | None:
        """None if *row* continues the chain; otherwise its fault, and the row is not taken in."""
        expected = self.seq + 1
        if row["seq"] != expected:
            return Break(self.chain, expected, "gap")
        if row["prev_hash"] != self.hash.hex():
            return Break(self.chain, expected, "prev_hash")
        digest_now = link(self.hash, row)
        if row["hash"] != digest_now.hex():
            return Break(self.chain, expected, "hash")
        self.seq, self.hash = expected, digest_now
        return None

    def finish(self, head_seq: int, head_hash: str) -> Break | None:
        """Compare with the head that was stored, logged or exported elsewhere."""
        if self.seq < head_seq:
            return Break(self.chain, self.seq + 1, "cut_off")
        if self.seq > head_seq:
            return Break(self.chain, head_seq + 1, "beyond_head")
        return None if self.hash.hex() == head_hash else Break(self.chain, head_seq, "hash")


def verify(
    chain: str, rows: Iterable[Mapping[str, Any]], head_seq: int, head_hash: str
) -> Break | None:
    """None if *rows* are the whole, unchanged chain that ends in this head."""
    verifier = Verifier(chain)
    for row in rows:
        broken = verifier.step(row)
        if broken is not None:
            return broken
    return verifier.finish(head_seq, head_hash)


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("no floats in canonical JSON")
    children: Iterable[Any] = ()
    if isinstance(value, Mapping):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    for child in children:
        _refuse_floats(child)
