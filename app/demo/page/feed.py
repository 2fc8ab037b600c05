"""A live feed: people, webhooks, Jira calls, audit rows, the guard."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import time
from typing import Any, Literal

from app.demo import truth
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.wire import Sent
from app.sandbox.worlds import ACCOUNT

Kind = Literal["person", "webhook", "call", "audit", "guard"]
_KEPT = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` in Unix seconds; `number` ascends in the order in which entries became known."""

    at: float
    kind: Kind
    site: str
    text: str
    detail: str = ""
    number: int = 0

    def plain(self) -> dict[str, Any]:
        names = ("number", "at", "kind", "site", "text", "detail")
        return {name: getattr(self, name) for name in names}


@dataclass
class Feed:
    """Reads only while the page is open; keeps the newest entries."""

    stage: Stage
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _fresh: list[Entry] = field(default_factory=list)
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    _audited: str | None = None
    _known: set[str] = field(default_factory=set)
    _guard: str = "armed"
    _number: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        for side, served in self.stage.sites.items():
            self.stage.wires[side].tell = self._on_webhook
            # The feed leaves out how the world was made.
            self._marks[side] = (len(served.site.mutations), 0)

    async def refresh(self, guard: dict[str, Any] | None) -> None:
        """Take in what happened since the last look. *guard*: as the connection shows it."""
        async with self._lock:
            self._fresh += self._at_the_sites()
            if guard is not None:
                self._fresh += await self._audit()
                self._fresh += self._of_guard(guard)
            for entry in sorted(self._fresh, key=lambda it: it.at):
                self._number += 1
                self.entries.append(replace(entry, number=self._number))
            self._fresh.clear()

    def after(self, number: int) -> list[dict[str, Any]]:
        return [entry.plain() for entry in self.entries if entry.number > number]

    def _on_webhook(self, sent: Sent) -> None:
        body = sent.event
        link = body.get("issueLink")
        what = f"link {link['id']}" if link else f"issue {body.get('issue', {}).get('key', '')}"
        detail = f"{sent.status} {sent.verdict}, {sent.seconds * 1000:.0f} ms"
        text = f"{body.get('webhookEvent', '')} {what}"
        self._fresh.append(Entry(sent.at, "webhook", sent.site, text, detail))
        del self._fresh[:-_KEPT]

    def _at_the_sites(self) -> Iterator[Entry]:
        """From the sites' own logs: what people did there, and what Twinlink asked."""
        for side, served in self.stage.sites.items():
            site = served.site
            done, asked = self._marks[side]
            self._marks[side] = (len(site.mutations), len(site.requests.entries))
            for entry in site.mutations.select(since=done):
                if entry.actor != ACCOUNT:
                    verb = "linked" if entry.kind == "created" else "unlinked"
                    link = f"{entry.source_key} {entry.type_name} {entry.destination_key}"
                    text = f"{entry.actor} {verb} {link}"
                    yield Entry(entry.at / 1000, "person", side, text, f"link {entry.link_id}")
            for call in truth.calls(site, asked):
                text = f"{call.method} {call.path}"
                yield Entry(call.at / 1000, "call", side, text, str(call.status or "no answer"))

    async def _audit(self) -> list[Entry]:
        """New rows. The list goes from a time on, so the rows of that very instant come again."""
        since = {} if self._audited is None else {"since": self._audited}
        rows = await self.stage.service.items("audit", connection=CONNECTION, **since)
        fresh = [row for row in rows if row["id"] not in self._known]
        if rows:
            self._audited = rows[-1]["at"]
            self._known = {row["id"] for row in rows if row["at"] == self._audited}
        return [_audit_entry(row) for row in fresh]

    def _of_guard(self, guard: dict[str, Any]) -> list[Entry]:
        if guard["state"] == self._guard:
            return []
        self._guard = guard["state"]
        text = "the guard tripped: removals are held" if guard["reason"] else "the guard is armed"
        return [Entry(time(), "guard", "right", text, guard["reason"] or "")]


def _audit_entry(row: dict[str, Any]) -> Entry:
    link = f"{row['source']['key']} {row['type']} {row['destination']['key']}"
    return Entry(
        datetime.fromisoformat(row["at"]).timestamp(),
        "audit",
        row["site"],
        f"{row['operation']} {row['status']}: {link}",
        f"row {row['id']}, {row['cause']['kind']}",
    )
