"""Recorded decisions, made again by the code that runs here. Nothing is read from Jira."""

import asyncio
from datetime import datetime

from app.core.diff import decide
from app.core.recorded.evaluation import Evaluation
from app.store.pool import Database
from app.store.upkeep import recorded_decisions

# Rows held at a time. Between two pages other tasks of the process have their turn.
PAGE = 2_000


async def evaluate(
    database: Database, *, since: datetime, engine: str | None = None, most: int | None = None
) -> Evaluation:
    """Those made since then; with *engine* only those that this version made, with *most* only
    about as many, the newest."""
    found, after = Evaluation(), 0
    if most is not None:
        async with database.connection() as conn:
            after = await recorded_decisions.before_last(conn, most)
    while True:
        async with database.connection() as conn:
            page = await recorded_decisions.page(
                conn, since=since, engine=engine, after=after, size=PAGE
            )
        found.add(page, decide)
        if len(page) < PAGE:
            return found
        after = page[-1].id
        await asyncio.sleep(0)
