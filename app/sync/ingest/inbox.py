"""What becomes of a webhook delivery: checked, then committed, or refused with a reason."""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, Self, TypeVar

from app.core.errors import PermanentError, TransientError
from app.core.links import project_of
from app.jira.webhooks.basic import verify_basic
from app.jira.webhooks.parse import (
    BodyHashes,
    Delivery,
    MalformedDelivery,
    parse_delivery,
    verify_signature,
)
from app.store.pool import Database
from app.store.queue.inbox import Arrival
from app.store.queue.stray_deliveries import Stray
from app.sync.ingest.group_commit import GroupCommit, Status, lanes_of
from app.sync.ingest.wakeups import Wake
from app.sync.ingest.webhook_sources import Opener, Sender, Senders, at_rest
from app.telemetry import Metrics

_T = TypeVar("_T")

SITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LONGEST_IDENTIFIER = 200
DIGEST_BYTES = 16
"""Of SHA-256. Only who has the secret can send two bodies, and 128 bits never meet by chance."""
_EVENT = b'"webhookEvent"'
_LARGE = 256 * 1024
"""Above this, hashing and parsing would hold up everybody else's few milliseconds."""


class UnknownSite(PermanentError):
    """No site has this name."""


class BadSignature(PermanentError):
    """Not made with a secret of this site that is valid now."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`delivery` names the event in the inbox, in causes and in the audit.

    `accepted` and `duplicate` mean that it is committed; `ignored`, that it says nothing.
    """

    delivery: str
    status: Literal["accepted", "duplicate", "ignored"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What came with a delivery to show who sent it. A signature, where there is one, decides."""

    signature: str | None = field(repr=False)
    authorization: str | None = field(default=None, repr=False)

    @property
    def absent(self) -> bool:
        return self.signature is None and self.authorization is None


class Commits(Protocol):
    """`GroupCommit`, or what a benchmark puts in its place."""

    async def add(self, arrival: Arrival, /) -> Status: ...

    async def aclose(self) -> None: ...


class Inbox:
    """The use case behind the webhook route. One per process."""

    def __init__(
        self,
        senders: Senders,
        commits: Commits,
        wake: Wake,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._senders = senders
        self._commits = commits
        self._wake = wake
        self._metrics = metrics
        self._clock = clock

    @classmethod
    def on(
        cls,
        database: Database,
        vault: Opener,
        wake: Wake,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
        window: float,
        bound: Callable[[], Awaitable[object]] = at_rest,
    ) -> Self:
        """With its parts as the service uses them. *window* in seconds; *bound* is waited for
        before secrets are read."""
        commits = GroupCommit(lanes_of(database, clock), window=window, on_raised=wake.soon)
        senders = Senders(database, vault, clock=clock, bound=bound)
        return cls(senders, commits, wake, metrics=metrics, clock=clock)

    async def sender(self, name: str) -> Sender:
        """Who delivers to this name; asked before the body is read. Errors: `UnknownSite`."""
        sender = await self._senders.named(name)
        if sender is None:
            raise UnknownSite("site_unknown")
        return sender

    async def astray(self, name: str) -> None:
        """Count a delivery that reaches no site, where it is plain which one was meant."""
        meant = name.lower()
        if SITE.fullmatch(meant) is None:
            return
        if await self._senders.named(meant) is not None:
            await self._stray((meant, "path"))
        elif self._senders.was_deleted(meant):
            await self._stray((meant, "deleted"))

    async def _stray(self, stray: Stray) -> None:
        self._metrics.deliveries.labels(stray[0], f"astray_{stray[1]}").inc()
        await self._senders.stray(stray)

    def hashes(self, sender: Sender) -> BodyHashes:
        """What takes a body's pieces in while it is read. Errors: `TransientError` where the
        secret cannot be opened."""
        try:
            return BodyHashes(sender.secrets(self._clock()))
        except TransientError as error:
            self._metrics.deliveries.labels(sender.name, error.code).inc()
            raise

    async def receive(
        self,
        sender: Sender,
        raw: bytes,
        hashes: BodyHashes | None = None,
        *,
        signature: str | None,
        identifier: str | None,
        authorization: str | None = None,
    ) -> Receipt:
        """Returning means committed. *hashes*, where they are whole, are not taken again.
        Errors: `BadSignature`; other `PermanentError` for a body that can never be taken;
        `TransientError`: send it again."""
        began = time.perf_counter()
        try:
            proof = Proof(signature, authorization)
            sender = await self._authenticated(sender, raw, hashes, proof)
            receipt = await self._accept(sender, raw, hashes, identifier)
        except (PermanentError, TransientError) as error:
            self._metrics.deliveries.labels(sender.name, error.code).inc()
            raise
        self._metrics.deliveries.labels(sender.name, receipt.status).inc()
        self._metrics.ingest_seconds.observe(time.perf_counter() - began)
        return receipt

    async def aclose(self) -> None:
        """Commit what was taken in."""
        await self._commits.aclose()

    async def _accept(
        self, sender: Sender, raw: bytes, hashes: BodyHashes | None, identifier: str | None
    ) -> Receipt:
        parsed, digest = await _in_thread_if_large(
            raw, lambda: (parse_delivery(raw), _digest(raw, hashes))
        )
        delivery = delivery_id(identifier, digest)
        arrival = None
        if isinstance(parsed, Delivery):
            arrival = _arrival(sender.id, delivery, digest, parsed)
        if arrival is None:
            receipt = Receipt(delivery, "ignored")
        else:
            receipt = Receipt(delivery, await self._commits.add(arrival))
        # After the commit: a delivery that could not be stored comes again, and asks again.
        if sender.flagged and await self._senders.compare_if_flagged(sender):
            self._wake.soon()
        return receipt

    async def _authenticated(
        self, sender: Sender, raw: bytes, hashes: BodyHashes | None, proof: Proof
    ) -> Sender:
        if proof.signature is not None and hashes is not None and _whole(hashes, raw):
            verified = hashes.verify(proof.signature)
        else:
            verified = await self._verified(sender, raw, proof)
        if verified:
            return sender
        current: Sender | None = sender
        if not proof.absent:
            # The secret, or what the site allows, may have been changed a moment ago.
            await self._senders.refresh()
            current = await self._senders.named(sender.name)
            if current is None:
                raise UnknownSite("site_unknown")
            if _other_terms(current, sender, self._clock()) and (
                await self._verified(current, raw, proof)
            ):
                return current
        # What no Jira sends is not an event that was lost.
        if _readable(raw):
            if proof.signature is None:
                await self._stray((sender.name, "unsigned"))
            await self._senders.reject(sender)
        raise BadSignature("signature_invalid")

    async def _verified(self, sender: Sender, raw: bytes, proof: Proof) -> bool:
        secrets = sender.secrets(self._clock())
        if proof.signature is None:
            return sender.basic and verify_basic(proof.authorization, secrets)
        signature = proof.signature
        return await _in_thread_if_large(raw, lambda: verify_signature(raw, signature, secrets))


def _other_terms(now: Sender, before: Sender, at: datetime) -> bool:
    return (now.secrets(at), now.basic) != (before.secrets(at), before.basic)


def delivery_id(identifier: str | None, digest: bytes) -> str:
    """Jira's identifier, the same on every retry; the body's hash where it sent none that can
    be kept. Nothing signs the header: a body that comes again under another one is known by its
    hash, which is stored beside it."""
    if identifier and _usable(identifier):
        return identifier
    return "sha256:" + digest.hex()


def _digest(raw: bytes, hashes: BodyHashes | None) -> bytes:
    if hashes is not None and _whole(hashes, raw):
        return hashes.sha256()
    return hashlib.sha256(raw).digest()


def _whole(hashes: BodyHashes, raw: bytes) -> bool:
    return 0 < hashes.size == len(raw)


def _readable(raw: bytes) -> bool:
    """Whether it has the form of a delivery, whoever made it. A large one is not taken apart for a
    stranger: 23 MB of empty lists become 700 MB, and stop the process for two seconds."""
    if len(raw) > _LARGE:
        return _EVENT in raw
    try:
        parse_delivery(raw)
    except MalformedDelivery:
        return False
    return True


def _usable(identifier: str) -> bool:
    short = len(identifier) <= LONGEST_IDENTIFIER
    return short and identifier.isascii() and identifier.isprintable()


def _arrival(site_id: int, delivery: str, digest: bytes, parsed: Delivery) -> Arrival | None:
    """None where nothing changed that could matter here."""
    if parsed.kind == "issue_updated" and not parsed.fields_changed:
        return None
    key = parsed.issue_key
    return Arrival(
        site_id,
        delivery,
        parsed.kind,
        parsed.timestamp,
        parsed.issue_ids[0] if parsed.kind.startswith("issue_") else None,
        parsed.link_id,
        parsed.type_id,
        parsed.source_id,
        parsed.destination_id,
        # Without a time two events may read alike, and none of them may be lost.
        None if parsed.timestamp is None else digest[:DIGEST_BYTES],
        tuple(word for word in parsed.fields_changed if " " not in word),
        project_of(key) if key else None,
    )


async def _in_thread_if_large(raw: bytes, work: Callable[[], _T]) -> _T:
    return work() if len(raw) <= _LARGE else await asyncio.to_thread(work)
