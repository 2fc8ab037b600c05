"""The last part of `twinlink init`: twins from what is there, shown before they are paired."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.cli.client.api_client import Service
from app.cli.client.connection_config import twin_field_of
from app.cli.client.twins_csv import Report, rows_of
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.files import reading
from app.cli.output.options import counted
from app.cli.output.prompts import Prompts
from app.core.connection.as_sent import connection_as_sent

_CHUNK = 1000
_SHOWN = 5
_QUESTION = "Twins: a CSV file, `keys` (equal numbers), SIDE:customfield_N, or `later`"

Pair = dict[str, str]


@dataclass(slots=True)
class Found:
    pairs: list[Pair] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def find(api: Service, ask: Prompts, connection: dict[str, Any]) -> None:
    """Pair what a person chooses and has seen. Nothing where twins are paired already."""
    if api.get(f"connections/{connection['name']}/twins", {"limit": 1})["items"]:
        output.note("twins are paired already")
        return
    ask.until_right(lambda: _one_way(api, ask, connection))


def _one_way(api: Service, ask: Prompts, connection: dict[str, Any]) -> None:
    said, name = ask.text(_QUESTION, default="later"), connection["name"]
    if said == "later":
        output.note(f"later: twinlink twins import {name} FILE")
    elif ":customfield_" in said:
        active = api.get(f"connections/{name}/revisions/{connection['revision']}")["config"]
        api.put(f"connections/{name}", connection_as_sent(active) | {"twins": twin_field_of(said)})
        output.note(f"twins come from {said}; workers read it now and keep it up to date")
    else:
        chunks = _equal_keys(connection) if said == "keys" else _from_file(said)
        _pair(api, ask, name, _previewed(api, name, chunks, endless=said == "keys"))


def _previewed(api: Service, name: str, chunks: Iterator[list[Pair]], *, endless: bool) -> Found:
    """What could be paired; of equal keys up to where no more are found."""
    found = Found()
    for chunk in chunks:
        items = api.post(f"connections/{name}/twins", {"twins": chunk, "dry_run": True})["items"]
        good = [p for p, it in zip(chunk, items, strict=True) if it["status"] == "paired"]
        found.pairs.extend(good)
        if endless and not good:
            break
        if not endless:
            found.refused.update(it["status"] for it in items if it["status"] != "paired")
    return found


def _pair(api: Service, ask: Prompts, name: str, found: Found) -> None:
    for it in found.pairs[:_SHOWN]:
        output.note(f"  {it['left']} = {it['right']}")
    if len(found.pairs) > _SHOWN:
        output.note(f"  and {len(found.pairs) - _SHOWN} more")
    for status, count in found.refused.items():
        output.note(f"  {count} cannot be paired: {status.replace('_', ' ')}")
    if not found.pairs:
        raise CommandError("no issues were found to pair")
    if not ask.yes(f"Pair {counted(len(found.pairs), 'issue')}?"):
        raise CommandError("nothing was paired")
    for at in range(0, len(found.pairs), _CHUNK):
        api.post(f"connections/{name}/twins", {"twins": found.pairs[at : at + _CHUNK]})


def _equal_keys(connection: dict[str, Any]) -> Iterator[list[Pair]]:
    """OPS-1 = SUP-1 and so on, a chunk at a time, of the first project of each side."""
    left, right = (connection[side]["projects"][0] for side in ("left", "right"))
    first = 1
    while True:
        numbers = range(first, first + _CHUNK)
        yield [{"left": f"{left}-{n}", "right": f"{right}-{n}"} for n in numbers]
        first += _CHUNK


def _from_file(path: str) -> Iterator[list[Pair]]:
    with reading(path) as text:
        found = [
            {"left": row.left, "right": row.right} for row in rows_of(text, Report(say=output.note))
        ]
    for at in range(0, len(found), _CHUNK):
        yield found[at : at + _CHUNK]
