"""A type map as a person types it: picked from a proposal, or by hand."""

from collections.abc import Sequence

from app.cli.client.connection_config import link_type
from app.cli.output.closest import did_you_mean
from app.cli.output.errors import CommandError
from app.core.connection.type_proposal import Pair, Type


def picked(
    text: str, proposed: Sequence[Pair], left: Sequence[Type], right: Sequence[Type]
) -> list[Pair]:
    """What a person names, apart by commas: `Blocks` as proposed, or `Causes=Root cause:reversed`.

    Names in either case. Raises `CommandError` for what is on neither site, or named twice."""
    pairs = [_one(part, proposed, left, right) for it in text.split(",") if (part := it.strip())]
    if not pairs:
        raise CommandError("name at least one link type")
    for side in ("left", "right"):
        names = [pair[side] for pair in pairs]
        for name in names:
            if names.count(name) > 1:
                raise CommandError(f"{name} is named twice on the {side}")
    return pairs


def _one(text: str, proposed: Sequence[Pair], left: Sequence[Type], right: Sequence[Type]) -> Pair:
    said = link_type(text)
    name = _named(said["left"], left, "left")
    if "=" in text or said["reversed"]:
        other = _named(said["right"], right, "right")
        return {"left": name, "right": other, "reversed": said["reversed"]}
    for pair in proposed:
        if pair["left"] == name:
            return dict(pair)
    raise CommandError(
        f"{name} has none alike on the right",
        details=[f"say which it is: {name}=NAME, or {name}=NAME:reversed"],
    )


def _named(said: str, types: Sequence[Type], side: str) -> str:
    names = {str(it["name"]).casefold(): str(it["name"]) for it in types}
    found = names.get(said.strip().casefold())
    if found is None:
        meant = did_you_mean(said, names.values())
        raise CommandError(
            f"link type {said!r} is not on the {side}{meant and f'; {meant}'}",
            details=[f"it has: {', '.join(names.values())}"],
        )
    return found
