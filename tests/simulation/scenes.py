"""Several acts in a row, which chance alone would seldom bring about."""

from tests.simulation.acts_owners import Owners
from tests.simulation.acts_people import People
from tests.simulation.service import Service

FEW = 3
"""Removals an hour, or fewer, that the guard of a tight story lets go."""


async def estate(people: People, owners: Owners, service: Service) -> str:
    """One mirror for two connections; in whatever mode one of them then is, the origins of the
    other go, or its twins."""
    pairs = _with_one_mirror(people)
    if not pairs:
        return ""
    one, other = people.random.choice(pairs)
    told = [people.links_under_two(one, other)]
    for _ in range(2):
        told.append(await service.one_looks())
        await service.finish()
    told.append(owners.sets_any_mode(one))
    await service.finish()
    if people.random.random() < 0.5:
        told.append(owners.unpairs_many(other))
    else:
        told.append(people.unlinks_many(people.ground.joins[other][0]))
    await service.finish()
    return "; ".join([*told, await service.one_looks()])


async def rivals(people: People, owners: Owners, service: Service) -> str:
    """One mirror for two connections, which look at the same moment: one of them writes it. Then
    one origin goes, or both, and both look again."""
    pairs = _with_one_mirror(people)
    if not pairs:
        return ""
    one, other = people.random.choice(pairs)
    told = [people.links_under_two(one, other), await service.all_look()]
    await service.finish()
    told += [await service.one_looks()]
    await service.finish()
    for at in people.random.choice(((one,), (one, other))):
        told.append(people.unlinks_many(people.ground.joins[at][0]))
    return "; ".join([*told, await service.all_look()])


async def rush(people: People, owners: Owners, service: Service) -> str:
    """More origins go than the window has room for, each issue keeps a link, and several workers
    take one of them each at the same moment."""
    if people.ground.most > FEW:
        return ""
    left = people.random.choice(people.ground.joins)[0]
    told = [owners.resets_the_guard(), people.links_in_a_ring(left)]
    for _ in range(2):
        told.append(await service.one_looks())
        await service.finish()
    told.append(people.unlinks_the_ring(left))
    looks = [await service.all_look(size=1) for _ in range(3)]
    return "; ".join([*told, *looks])


def _with_one_mirror(people: People) -> list[tuple[int, int]]:
    """Places of connections that mirror different sites to the same one."""
    joins = list(enumerate(people.ground.joins))
    return [
        (one, other)
        for one, (left, right, *_) in joins
        for other, (beside, same, *_) in joins
        if right == same and left != beside
    ]
