"""What another configuration would change, before it is stored: each setting, and how many links
would be suspended or resumed."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.core.config import ConnectionConfig, TwinSource, TypePair, WindowLimits
from app.core.links import Side
from app.store.config.connections import ConnectionRow
from app.store.pool import Database
from app.store.views import scope_effects
from app.store.views.scope_effects import Effects
from app.sync.connections.admin import ConnectionAdmin
from app.sync.connections.spec import ConnectionSpec


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as text, a line per part: what it is and what it would be."""

    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    settings: tuple[Setting, ...]
    effects: Effects
    newly_written: tuple[str, ...]
    """Names of the sites to which the connection writes only under the other configuration."""


async def difference(
    database: Database, admin: ConnectionAdmin, row: ConnectionRow, spec: ConnectionSpec
) -> Difference:
    """Stores nothing. Raises as `ConnectionAdmin.put` does for what *spec* names."""
    _, config = await admin.resolve(spec)
    async with database.connection() as conn:
        effects = await scope_effects.of(conn, row.id, row.config, config)
    settings = tuple(it for it in _settings(row.config, config) if it.before != it.after)
    newly = tuple(
        config.end(side).site for side in Side if _writes(config, side) > _writes(row.config, side)
    )
    return Difference(settings, effects, newly)


def _writes(config: ConnectionConfig, side: Side) -> bool:
    return config.direction.allows_origin(side.other)


def _settings(before: ConnectionConfig, after: ConnectionConfig) -> Iterator[Setting]:
    """Every setting, changed or not, under the names that the API gives them."""
    was, will = _texts(before), _texts(after)
    yield from (Setting(field, was[field], will[field]) for field in was)


def _texts(config: ConnectionConfig) -> dict[str, tuple[str, ...]]:
    return {
        "left.site": (config.left.site,),
        "left.projects": tuple(config.left.projects),
        "right.site": (config.right.site,),
        "right.projects": tuple(config.right.projects),
        "direction": (config.direction.value,),
        "link_types": tuple(_pair(pair) for pair in config.link_types),
        "on_mirror_removed": (config.on_mirror_removed.value,),
        "on_issue_deleted": (config.on_issue_deleted.value,),
        "guard.hour": (_limits(config.guard.hour),),
        "guard.day": (_limits(config.guard.day),),
        "twins": (_twins(config.twins),),
        "approvals": (str(config.approvals),),
    }


def _pair(it: TypePair) -> str:
    return f"{it.left.name} = {it.right.name}{' reversed' if it.reversed else ''}"


def _limits(it: WindowLimits) -> str:
    return f"{it.share:.2%}, at least {it.min}, at most {it.max}"


def _twins(it: TwinSource) -> str:
    return it.source if it.side is None else f"{it.source} {it.field} of {it.side}"
