"""A site that goes back in time, with the lines that its log needs to stay true.

The sandbox keeps its log of mutations through a restore. Judged by it, what the backup lacks is
gone and what it has is back, made by the account that made it then.
"""

from app.sandbox import JiraSite, Link
from app.sandbox.backup import Backup, back_up, restore
from app.sandbox.logbook import Mutation, MutationKind

ADMINISTRATOR = "backup"


def take(site: JiraSite) -> Backup:
    """Last night's backup."""
    return back_up(site)


def go_back(site: JiraSite, backup: Backup) -> list[Link]:
    """Restore *backup*; answers the links that are lost by it, oldest first."""
    before = dict(site.links)
    keys = {it.id: it.key for it in site.issues.values()}
    restore(site, backup)
    keys |= {it.id: it.key for it in site.issues.values()}
    lost = [link for at, link in sorted(before.items()) if site.links.get(at) != link]
    back = [link for at, link in sorted(site.links.items()) if before.get(at) != link]
    makers = [_maker(site, link) for link in back]
    for link in lost:
        _note(site, "removed", ADMINISTRATOR, link, keys)
    for maker, link in zip(makers, back, strict=True):
        _note(site, "created", maker, link, keys)
    return lost


def _maker(site: JiraSite, link: Link) -> str:
    """Of this very link: its id may have been given out more than once."""
    made = site.mutations.select("created", link_id=link.id)
    return next(it.actor for it in made if it.at == link.created)


def _note(site: JiraSite, kind: MutationKind, actor: str, link: Link, keys: dict[int, str]) -> None:
    entry = Mutation(
        at=site.now(),
        kind=kind,
        actor=actor,
        link_id=link.id,
        type_id=link.type_id,
        type_name=site.types[link.type_id].name,
        source=link.source,
        destination=link.destination,
        source_key=keys[link.source],
        destination_key=keys[link.destination],
        request=None,
        cause="restore",
    )
    site.mutations.entries.append(entry)
