"""The last part of `twinlink init`: twins from what is there, shown before they are paired."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.cli.client.api_client import Service
from app.cli.client.connection_config import twin_field_of
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.files import reading
from app.cli.output.options import counted
from app.cli.output.prompts import Prompts
from app.core.connection.as_sent import connection_as_sent
from app.core.connection.twin_rows import Report, rows_of

_CHUNK = 1000
_SHOWN = 5
_QUESTION = "Twins: `keys` (equal numbers), a CSV file, SIDE:customfield_N, or `later`"

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
    found = _previewed(api, connection["name"], next(_equal_keys(connection)))
    if found.pairs:
        output.note(f"issues with equal numbers: {len(found.pairs)} of the first {_CHUNK}")
        _show(found)
    else:
        output.note("no issue of one side has the number of one of the other")
    ask.until_right(lambda: _one_way(api, ask, connection))


def _one_way(api: Service, ask: Prompts, connection: dict[str, Any]) -> None:
    said, name = ask.text(_QUESTION, default="later"), connection["name"]
    if said == "later":
        output.note(f"later: twinlink twins import {name} FILE")
    elif ":customfield_" in said:
        active = api.get(f"connections/{name}/revisions/{connection['revision']}")["config"]
        api.put(f"connections/{name}", connection_as_sent(active) | {"twins": twin_field_of(said)})
        output.note(f"twins come from {said}; workers read it now and keep it up to date")
    elif said == "keys":
        _pair_equal_keys(api, connection)
    else:
        _pair_file(api, ask, name, said)


def _previewed(api: Service, name: str, chunk: list[Pair]) -> Found:
    """What of it could be paired, and why the rest could not."""
    items = api.post(f"connections/{name}/twins", {"twins": chunk, "dry_run": True})["items"]
    found = Found()
    for pair, it in zip(chunk, items, strict=True):
        if it["status"] == "paired":
            found.pairs.append(pair)
        else:
            found.refused[it["status"]] += 1
    return found


def _pair_equal_keys(api: Service, connection: dict[str, Any]) -> None:
    """A chunk at a time, up to the first in which no numbers are equal. The first was shown."""
    name, count = connection["name"], 0
    for chunk in _equal_keys(connection):
        found = _previewed(api, name, chunk)
        if not found.pairs:
            break
        _pair(api, name, found.pairs)
        count += len(found.pairs)
    if not count:
        raise CommandError("no issues were found to pair")
    output.note(f"paired {counted(count, 'issue')}")


def _pair_file(api: Service, ask: Prompts, name: str, path: str) -> None:
    """What it would pair is shown; where a row cannot be paired, a person says whether to go on."""
    found = Found()
    for chunk in _from_file(path):
        part = _previewed(api, name, chunk)
        found.pairs += part.pairs
        found.refused += part.refused
    _show(found)
    for status, count in found.refused.items():
        output.note(f"  {count} cannot be paired: {status.replace('_', ' ')}")
    if not found.pairs:
        raise CommandError("no issues were found to pair")
    if found.refused and not ask.yes(f"Pair {counted(len(found.pairs), 'issue')} without these?"):
        raise CommandError("nothing was paired")
    for at in range(0, len(found.pairs), _CHUNK):
        _pair(api, name, found.pairs[at : at + _CHUNK])
    output.note(f"paired {counted(len(found.pairs), 'issue')}")


def _pair(api: Service, name: str, pairs: list[Pair]) -> None:
    api.post(f"connections/{name}/twins", {"twins": pairs})


def _show(found: Found) -> None:
    for it in found.pairs[:_SHOWN]:
        output.note(f"  {it['left']} = {it['right']}")
    if len(found.pairs) > _SHOWN:
        output.note(f"  and {len(found.pairs) - _SHOWN} more")


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
