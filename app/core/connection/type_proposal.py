"""A proposal for the type map: which link type of one site is which of the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Type = Mapping[str, Any]
Pair = dict[str, Any]


def proposal(left: Sequence[Type], right: Sequence[Type]) -> tuple[list[Pair], list[str]]:
    """Pairs, and the names of types of the left site that have none. By name first, then by
    wording; symmetric types only with symmetric ones, each type once. Where the wordings are
    exchanged (*blocks* is the other's *is blocked by*), the pair is reversed."""
    free = list(right)
    pairs: list[Pair] = []
    for same in (_by_name, _by_wording):
        taken = {pair["left"] for pair in pairs}
        for one in (it for it in left if it["name"] not in taken):
            other = next((it for it in free if same(one, it) and _alike(one, it)), None)
            if other is not None:
                free.remove(other)
                pairs.append(_pair(one, other))
    taken = {pair["left"] for pair in pairs}
    return pairs, [it["name"] for it in left if it["name"] not in taken]


def sentences(pairs: Sequence[Pair]) -> Iterator[str]:
    for it in pairs:
        yield f"{it['left']} = {it['right']}{' reversed' if it['reversed'] else ''}"


def _pair(one: Type, other: Type) -> Pair:
    turned = not _symmetric(one) and _words(one) == tuple(reversed(_words(other)))
    return {"left": one["name"], "right": other["name"], "reversed": turned}


def _by_name(one: Type, other: Type) -> bool:
    return bool(one["name"].casefold() == other["name"].casefold())


def _by_wording(one: Type, other: Type) -> bool:
    return set(_words(one)) == set(_words(other))


def _alike(one: Type, other: Type) -> bool:
    return _symmetric(one) == _symmetric(other)


def _symmetric(it: Type) -> bool:
    outward, inward = _words(it)
    return outward == inward


def _words(it: Type) -> tuple[str, str]:
    return it["outward"].casefold(), it["inward"].casefold()
