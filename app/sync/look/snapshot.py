"""One look at some twin pairs of one connection: what was loaded and read so far.

Everything here is a lookup in memory; `observe` fills it, `reconcile` judges it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from app.core.config import TypePair
from app.core.evidence import Lookup, Reading, SideFacts
from app.core.ledger import LinkKey, Row
from app.core.links import (
    Ends,
    IssueId,
    IssueRef,
    Link,
    LinkId,
    PhysicalKey,
    Side,
    TypeId,
    physical_key,
)
from app.core.recorded.inputs import Inputs
from app.store.config.active_connection import Running
from app.store.links.ledger import Place
from app.store.links.twins import Twin
from app.store.queue.work import Cause, Claimed

# Unknown: three tries, then the next event or comparison (docs/how-it-decides.md). Seconds.
TRIES = (1.0, 5.0, 25.0)


@dataclass(slots=True)
class Look:
    """`pairs` are ours to settle; `twins` also holds the far ends of their links.

    `foreign` are links that other connections manage, `made` those that we ever made or
    adopted; `lookups` answers by id. Listings lag:
    `unlisted` are links that answered by id and that nothing lists, `ended` are listed ones
    that are gone. `judged` is what each decision was made from, the last time it was made.
    """

    running: Running
    started_at: datetime
    pairs: dict[int, Claimed]
    twins: dict[int, Twin] = field(default_factory=dict)
    rows: dict[LinkKey, Row] = field(default_factory=dict)
    readings: dict[Side, Reading] = field(default_factory=dict)
    unlisted: dict[tuple[Side, LinkKey], set[LinkId]] = field(default_factory=dict)
    ended: dict[Side, set[LinkId]] = field(default_factory=dict)
    foreign: dict[Side, set[LinkId]] = field(default_factory=dict)
    made: dict[Side, set[LinkId]] = field(default_factory=dict)
    lookups: dict[tuple[Side, LinkId], Lookup] = field(default_factory=dict)
    assured: set[Side] = field(default_factory=set)
    judged: dict[LinkKey, Inputs] = field(default_factory=dict)
    _by_issue: dict[tuple[Side, IssueId], Twin] = field(default_factory=dict)

    def know(self, twins: Iterable[Twin]) -> None:
        """Add twins, so that their issues and links have keys."""
        for twin in twins:
            self.twins[twin.id] = twin
            for side in Side:
                self._by_issue[side, twin.on(side).id] = twin

    def twin_at(self, side: Side, issue: IssueId) -> Twin | None:
        """The twin of an issue of *side*, None where none is known."""
        return self._by_issue.get((side, issue))

    def cause(self, key: LinkKey) -> Cause:
        """Why we look at this link: the cause of the first of its pairs that is ours."""
        return next(self.pairs[twin] for twin in key.twins if twin in self.pairs).cause

    def tries_over(self, key: LinkKey) -> bool:
        """Whether all tries of this link's claimed pairs are used up."""
        claimed = [self.pairs[twin] for twin in key.twins if twin in self.pairs]
        return all(it.tries >= len(TRIES) for it in claimed)

    def claimed_twins(self) -> Iterator[Twin]:
        """The twins that were claimed for this look and still exist."""
        return (self.twins[twin_id] for twin_id in self.pairs if twin_id in self.twins)

    def pair_types(self, key: LinkKey) -> TypePair | None:
        """The mapped types of a link, None where its type is not mapped any more."""
        return self.running.config.pair_of(Side.LEFT, key.left_type)

    def key_of(self, side: Side, type_id: TypeId, ends: Ends) -> LinkKey | None:
        """The link key that a link of *side* belongs to; None where its type is not mapped or
        an end has no twin."""
        types = self.running.config.pair_of(side, type_id)
        source, destination = self.twin_at(side, ends.source), self.twin_at(side, ends.destination)
        if types is None or source is None or destination is None or source is destination:
            return None
        if side is Side.RIGHT and types.reversed:
            source, destination = destination, source
        left = Ends(source.left.id, destination.left.id)
        if left.canonical(symmetric=types.left.symmetric) != left:
            source, destination = destination, source
        return LinkKey(types.left.id, source.id, destination.id)

    def ends(self, key: LinkKey, side: Side) -> tuple[IssueRef, IssueRef]:
        """Source and destination of the link on *side*, under the keys that we know."""
        source, destination = (self.twins[twin].on(side) for twin in key.twins)
        types = self.pair_types(key)
        if side is Side.RIGHT and types is not None and types.reversed:
            return destination, source
        return source, destination

    def place(self, key: LinkKey, mirror: Side) -> Place:
        """The ends on both sides, for a ledger row. The type of *key* must be mapped."""
        types = self.pair_types(key)
        assert types is not None
        return Place(
            *self.ends(key, Side.LEFT),
            *self.ends(key, Side.RIGHT),
            self.physical(key, mirror),
        )

    def physical(self, key: LinkKey, side: Side) -> PhysicalKey:
        """The physical link of *key* on *side*. The type of *key* must be mapped."""
        types = self.pair_types(key)
        assert types is not None
        source, destination = self.ends(key, side)
        ends = Ends(source.id, destination.id)
        return physical_key(self.running.site(side), types.on(side), ends)

    def facts(self, key: LinkKey, side: Side) -> SideFacts:
        """All that is known by now about one link on one side."""
        types = self.pair_types(key)
        assert types is not None
        source, destination = self.ends(key, side)
        known = self.known_id(key, side)
        return SideFacts(
            link_type=types.on(side),
            ends=Ends(source.id, destination.id),
            twin_keys=(source.key, destination.key),
            reading=self.readings[side],
            known=known,
            lookup=self.lookups.get((side, known)) if known else None,
            assured=side in self.assured,
        )

    def known_id(self, key: LinkKey, side: Side) -> LinkId | None:
        """The id of the link on *side* in its ledger row; None without a row or an id."""
        row = self.rows.get(key)
        return row.link_on(side) if row is not None else None

    def listed(self, side: Side) -> Iterator[Link]:
        """Every link that the claimed pairs' issues list on *side*."""
        reading = self.readings[side]
        for twin in self.claimed_twins():
            view = reading.issues.get(twin.on(side).id)
            if view is not None and view.links is not None:
                yield from view.links

    def candidates(self) -> list[LinkKey]:
        """Every link key with something to judge: listed, in the ledger, or named by an event. One
        of its pairs was claimed: a pair that was unpaired and made again since then has another id,
        and a look of its own."""
        keys = {
            key
            for side in Side
            for link in self.listed(side)
            if (key := self.key_of(side, link.type_id, link.ends)) is not None
        }
        keys.update(self.rows)
        keys.update(key for _, key in self.unlisted)
        return sorted(key for key in keys if self._claimed(key) and self._in_scope(key))

    def _claimed(self, key: LinkKey) -> bool:
        return any(twin in self.pairs for twin in key.twins)

    def _in_scope(self, key: LinkKey) -> bool:
        twins = [self.twins.get(twin) for twin in key.twins]
        return self.pair_types(key) is not None and all(
            twin is not None and twin.suspended is None for twin in twins
        )
