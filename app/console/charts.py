"""Pictures as values that a template draws: coordinates, never markup."""

import math
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
WIDTH, HEIGHT = 720, 160
_NODES = 24
"""Neighbours that fit around one issue; the table beside the picture has all."""


def activity(buckets: Sequence[Json], *, limit: int | None) -> Json:
    """Bars of creations (up) and removals (down), with the guard's limit as a line."""
    most: int = max([1, limit or 0, *(max(it["created"], it["removed"]) for it in buckets)])
    half = HEIGHT / 2
    step = WIDTH / max(1, len(buckets))

    def height(count: int) -> float:
        return round(count / most * (half - 4), 1)

    bars = [
        {
            "x": round(at * step, 1),
            "width": round(max(0.8, step * 0.8), 1),
            "up": height(it["created"]),
            "down": height(it["removed"]),
            "at": it["at"],
            "created": it["created"],
            "removed": it["removed"],
        }
        for at, it in enumerate(buckets)
        if it["created"] or it["removed"]
    ]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "middle": half,
        "bars": bars,
        "limit": limit,
        "limit_at": None if limit is None else round(half + height(limit), 1),
        "created": sum(it["created"] for it in buckets),
        "removed": sum(it["removed"] for it in buckets),
    }


FLOW_WIDTH, FLOW_HEIGHT, BOX = 520, 120, 150


def shadow(connection: Json, planned: Sequence[Json]) -> Json:
    """Two sites, an arrow to each with what would be made and removed there, and a bar a row."""
    left, right = (connection[side]["site"] for side in ("left", "right"))
    totals = {
        side: [sum(it[what] for it in planned if it["site"] == site) for what in _WHAT]
        for side, site in (("left", left), ("right", right))
    }
    written = [side for side in ("right", "left") if _written(connection["direction"], side)]
    ends = {"right": (BOX + 12, FLOW_WIDTH - BOX - 12), "left": (FLOW_WIDTH - BOX - 12, BOX + 12)}
    arrows = []
    for at, side in enumerate(written):
        y = 60 if len(written) == 1 else 45 + 40 * at
        begin, end = ends[side]
        back = -9 if side == "right" else 9
        head = f"{end},{y} {end + back},{y - 6} {end + back},{y + 6}"
        creates, removes = totals[side]
        words = f"+{creates}" + (f" \N{MINUS SIGN}{removes}" if removes else "")
        look = "some" if creates or removes else "none"
        arrows.append({"x1": begin, "x2": end, "y": y, "head": head, "words": words, "look": look})
    return {
        "width": FLOW_WIDTH,
        "height": FLOW_HEIGHT,
        "box": BOX,
        "boxes": [
            {"x": 0, "site": _short(left), "side": "left"},
            {"x": FLOW_WIDTH - BOX, "site": _short(right), "side": "right"},
        ],
        "arrows": arrows,
        "rows": _bars(planned),
        "label": "; ".join(
            f"on {side} {totals[side][0]} made, {totals[side][1]} removed" for side in written
        ),
    }


_WHAT = ("creates", "removes")
_NAME = 16


def _written(direction: str, side: str) -> bool:
    return direction in ("both", f"{'left' if side == 'right' else 'right'}_to_{side}")


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _bars(planned: Sequence[Json]) -> list[Json]:
    most = max([1, *(it["creates"] + it["removes"] for it in planned)])
    return [
        {
            **it,
            "up": round(100 * it["creates"] / most, 1),
            "down": round(100 * it["removes"] / most, 1),
        }
        for it in planned
    ]


def links(twin: Json, explained: Sequence[Json]) -> Json:
    """One pair of twins in the middle, neighbours around it, a line a link on either side."""
    selves = {twin["left"], twin["right"]}
    edges = [edge for it in explained for edge in _edges(selves, it)]
    others = list(dict.fromkeys(edge["other"] for edge in edges))[:_NODES]
    places = {other: _place(at, len(others)) for at, other in enumerate(others)}
    return {
        "nodes": [
            {"keys": keys, "key": keys[0], "x": x, "y": y} for keys, (x, y) in places.items()
        ],
        "edges": [
            {**edge, "x": places[edge["other"]][0], "y": places[edge["other"]][1]}
            for edge in edges
            if edge["other"] in places
        ],
        "hidden": len({edge["other"] for edge in edges}) - len(others),
    }


def _edges(selves: set[str], explained: Json) -> list[Json]:
    """A line for each side on which the link is there; twins of neighbours are one neighbour."""
    there = [side for side in ("left", "right") if (explained[side] or {}).get("link_id")]
    other = tuple(_other(selves, explained[side]) for side in there)
    look = _look(explained)
    return [
        {"other": other, "side": side, "type": explained[side]["type"], "look": look}
        for side in there
    ]


def _other(selves: set[str], end: Json) -> str:
    source, destination = str(end["source"]["key"]), str(end["destination"]["key"])
    return destination if source in selves else source


def _look(explained: Json) -> str:
    """Solid managed, dashed preexisting, dotted detached or at rest, red where it would go."""
    if explained["outcome"] == "remove_mirror":
        return "held"
    return {"managed": "managed", "preexisting": "preexisting"}.get(
        explained["state"] or "", "detached" if explained["state"] else "other"
    )


def _place(at: int, count: int) -> tuple[int, int]:
    angle = 2 * math.pi * at / max(1, count) - math.pi / 2
    return round(260 + 190 * math.cos(angle)), round(150 + 115 * math.sin(angle))
