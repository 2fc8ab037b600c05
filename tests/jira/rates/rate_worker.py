"""One worker of `test_rates`: asks a site as fast as its share of the budget allows.

`python -m tests.jira.rates.rate_worker SITE TOKEN REDIS RATE`: says `ready`, begins with the
first line of its standard input and ends with the next.
"""

import asyncio
import sys

from redis.asyncio import Redis

from app.core.errors import TransientError
from app.jira.client import BearerAuth, JiraClient, SiteAccess
from app.jira.http.options import Options
from app.jira.rates.budget_shared import SharedBudget

AT_ONCE = 12


async def main(url: str, token: str, redis_url: str, rate: float) -> None:
    site = SiteAccess(1, "counted", url, "datacenter", BearerAuth(token), rate=rate)
    async with Redis.from_url(redis_url, socket_timeout=1) as redis:
        client = JiraClient(site, Options(budget=SharedBudget(redis), allow_private=True))
        print("ready", flush=True)
        await _line()
        over = asyncio.Event()
        asking = [asyncio.create_task(_ask(client, over)) for _ in range(AT_ONCE)]
        await _line()
        # They end by themselves: how a call is cancelled is not what is measured here.
        over.set()
        await asyncio.gather(*asking)
        await client.aclose()


async def _line() -> None:
    await asyncio.to_thread(sys.stdin.readline)


async def _ask(client: JiraClient, over: asyncio.Event) -> None:
    while not over.is_set():
        try:
            await client.myself()
        except TransientError:
            continue


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
