"""Several acts in a row, which chance alone would seldom bring about."""

from tests.simulation.acts_owners import Owners
from tests.simulation.acts_people import People
from tests.simulation.service import Service


async def estate(people: People, owners: Owners, service: Service) -> str:
    """One mirror for two connections; in whatever mode one of them then is, the origins of the
    other go, or its twins."""
    joins = list(enumerate(people.ground.joins))
    pairs = [
        (one, other)
        for one, (left, right, *_) in joins
        for other, (beside, same, *_) in joins
        if right == same and left != beside
    ]
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
