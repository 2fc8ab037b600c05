"""Whether the mirrors match the origins, according to the sandbox sites themselves.

Of a symmetric type the direction does not count: a changelog cannot say which it was.
"""

from collections import Counter

from app.demo import truth
from app.sandbox import JiraSite, Link
from app.sandbox.worlds import World

Triple = tuple[int, int, int]
"""Type, source and destination, the ends of a symmetric type in order."""


def triple(site: JiraSite, link: Link) -> Triple:
    ends = link.source, link.destination
    if site.types[link.type_id].symmetric:
        ends = min(ends), max(ends)
    return link.type_id, *ends


def standing(site: JiraSite) -> Counter[Triple]:
    """Every link of the site."""
    return Counter(triple(site, link) for link in site.links.values())


def origins(world: World) -> dict[Triple, int]:
    """Links of the left that want a mirror, as the right would have them: what people have not
    linked there themselves. With the id of each origin."""
    types = _types(world)
    twins = {world.left.issue(left).id: world.right.issue(right).id for left, right in world.twins}
    theirs = standing(world.right) - Counter(_made(world.right))
    found: dict[Triple, int] = {}
    for link in world.left.links.values():
        if link.type_id in types and link.source in twins and link.destination in twins:
            ends = twins[link.source], twins[link.destination]
            image = Link(link.id, types[link.type_id], *ends, link.created)
            found[triple(world.right, image)] = link.id
    return {image: number for image, number in found.items() if image not in theirs}


def mirrors(world: World) -> Counter[Triple]:
    """Links of the right that Twinlink's account made, between this world's twins."""
    twins = {world.right.issue(right).id for _, right in world.twins}
    made = (it for it in _made(world.right) if {it[1], it[2]} <= twins)
    return Counter(made)


def _made(site: JiraSite) -> list[Triple]:
    ids = {entry.link_id for entry in truth.created(site)} & site.links.keys()
    return [triple(site, site.links[number]) for number in ids]


def _types(world: World) -> dict[int, int]:
    return {
        world.left.link_type(left).id: world.right.link_type(right).id
        for left, right in world.types
    }
