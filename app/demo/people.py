"""People at work on the sandbox sites, over REST, and which issues are free for them."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from app.demo.failed import DemoFailed
from app.sandbox import Served
from app.sandbox.worlds import World

_AT_ONCE = 6

Pair = tuple[str, str]
"""Source and destination of a new link: keys on the left."""


async def link(served: Served, who: str, source: str, type_name: str, destination: str) -> int:
    """`link(left, "ann", "A-1", "Blocks", "A-2")`: ann says that A-1 blocks A-2. Its id."""
    [number] = await link_all(served, who, type_name, [(source, destination)])
    return number


async def link_all(served: Served, who: str, type_name: str, pairs: Sequence[Pair]) -> list[int]:
    """Their ids, in the order of *pairs*."""
    slots = asyncio.Semaphore(_AT_ONCE)
    type_id = served.site.link_type(type_name).id
    async with served.client(who) as client:

        async def one(source: str, destination: str) -> int:
            # Jira's words: the inward issue is the source.
            body = {
                "type": {"name": type_name},
                "inwardIssue": {"key": source},
                "outwardIssue": {"key": destination},
            }
            async with slots:
                answer = await client.post("/rest/api/2/issueLink", json=body)
            if answer.status_code != 201:
                raise DemoFailed(f"{who} cannot link {source} to {destination}: {answer.text}")
            ends = served.site.issue(source).id, served.site.issue(destination).id
            return served.site.triples[type_id, *ends]

        return await asyncio.gather(*(one(*pair) for pair in pairs))


async def unlink_all(served: Served, who: str, links: Sequence[int]) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)
    async with served.client(who) as client:

        async def one(number: int) -> None:
            async with slots:
                answer = await client.delete(f"/rest/api/2/issueLink/{number}")
            if answer.status_code != 204:
                raise DemoFailed(f"{who} cannot remove the link {number}: {answer.text}")

        await asyncio.gather(*(one(number) for number in links))


def free_pairs(world: World, count: int) -> list[Pair]:
    """Pairs of left issues that nothing joins on either site. No issue is in more than two, so
    that no single issue loses most of its links when all of them vanish."""
    used: Counter[str] = Counter()
    found: list[Pair] = []
    for source, destination in _candidates(world):
        if max(used[source], used[destination]) < 2 and _is_free(world, source, destination):
            used.update((source, destination))
            found.append((source, destination))
            if len(found) == count:
                return found
    raise DemoFailed(f"the world has no room for {count} more links")


def _candidates(world: World) -> Iterator[Pair]:
    keys = [left for left, _ in world.twins]
    half = len(keys) // 2
    for step in (half, half - 1, half + 1):
        for at, source in enumerate(keys):
            yield source, keys[(at + step) % len(keys)]


def _is_free(world: World, source: str, destination: str) -> bool:
    twins = dict(world.twins)
    here = world.left.issue(source), world.left.issue(destination)
    there = world.right.issue(twins[source]), world.right.issue(twins[destination])
    return not any(one.links.keys() & other.links.keys() for one, other in (here, there))
