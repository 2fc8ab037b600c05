"""One process that tells stories: reads its order from standard input, writes an ending a line."""

import asyncio
import json
import sys
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from app.embedded import bootstrap_roles
from tests.simulation.bugs import BUGS, Bug
from tests.simulation.gated_database import Wires
from tests.simulation.observer import PostgresObserver
from tests.simulation.story import Ending, Story
from tests.simulation.virtual import VirtualLoop, take_over
from tests.support.servers import Database, Servers

KEPT = frozenset({"alembic_version", "account_salt", "monitor_mark"})
"""Tables with rows that a migration made."""

_AGAINST_TRUNCATE = """
    SELECT tgrelid::regclass::text, tgname FROM pg_trigger
    WHERE tgtype & 32 <> 0 AND NOT tgisinternal
"""


_WATCH_HEIRS = """
    CREATE TABLE oracle_heirs (id bigint GENERATED ALWAYS AS IDENTITY, connection text, mode text);
    CREATE FUNCTION oracle_heir() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO oracle_heirs (connection, mode) SELECT name, mode FROM connections
        WHERE id = NEW.connection_id AND mode = 'shadow';
        RETURN NEW;
    END $$;
    GRANT SELECT ON oracle_heirs TO PUBLIC;
    CREATE TRIGGER oracle_heir AFTER UPDATE ON ledger FOR EACH ROW
    WHEN (NEW.state = 'managed' AND NEW.reason = 'inherited') EXECUTE FUNCTION oracle_heir();
"""
"""Writes down each link that a connection takes over in shadow, in the very transaction: what the
mode was then is not known later."""


class Stage:
    """The database of one teller, equal at the beginning of every story."""

    def __init__(self, owner: "asyncpg.Connection[asyncpg.Record]", wires: Wires) -> None:
        self.owner = owner
        self.wires = wires
        self._clear = ""

    async def prepare(self) -> None:
        await self.owner.execute(_WATCH_HEIRS)
        rows = await self.owner.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        names = [row["tablename"] for row in rows]
        for table, trigger in await self.owner.fetch(_AGAINST_TRUNCATE):
            # The audit refuses to be emptied; between two stories it has to be.
            await self.owner.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{trigger}"')
        cleared = ", ".join(f'"{it}"' for it in names if it not in KEPT)
        self._clear = f"TRUNCATE {cleared} RESTART IDENTITY; ALTER SEQUENCE fences RESTART;"

    async def clear(self) -> None:
        await self.owner.execute(self._clear)


async def _stage(servers: Servers, name: str, stack: AsyncExitStack) -> Stage:
    admin = await asyncpg.connect(servers.postgres)
    template = Database.at(
        servers.template, *await bootstrap_roles(servers.postgres, database=servers.template)
    )
    database = Database.at(name, template.migrate_url, template.run_url)
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}" STRATEGY file_copy')
    await admin.execute(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '3ms'")
    await admin.close()
    observer = PostgresObserver(servers.postgres)
    stack.callback(observer.close)
    owner = await asyncpg.connect(urlunsplit(urlsplit(servers.postgres)._replace(path=f"/{name}")))
    stack.push_async_callback(owner.close)
    wires = Wires(database.run_url, observer)
    stack.push_async_callback(wires.close)
    stage = Stage(owner, wires)
    await stage.prepare()
    return stage


async def _tell(order: dict[str, Any], loop: VirtualLoop) -> None:
    async with AsyncExitStack() as stack:
        loop.outside = lambda: True
        stage = await _stage(Servers(**order["servers"]), order["name"], stack)
        if order["plant"]:
            await _plant(stage, BUGS[order["plant"]])
        for seed in order["seeds"]:
            loop.outside = lambda: True
            await stage.clear()
            ending = await Story(seed, loop, stage.wires).tell(order["acts"])
            print(json.dumps(_told(ending)), flush=True)
        loop.outside = lambda: True


async def _plant(stage: Stage, bug: Bug) -> None:
    bug.plant()
    if bug.ddl:
        await stage.owner.execute(bug.ddl)
    if bug.rewrite is not None:
        before, after = bug.rewrite
        stage.wires.rewrite = lambda query: query.replace(before, after)


def _told(it: Ending) -> dict[str, Any]:
    """Whole stories only where somebody wants to read them."""
    return {
        "seed": it.seed,
        "digest": it.digest,
        "broken": it.broken,
        "steps": it.steps,
        "lines": it.lines,
    }


def _hear(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    """What the service logs as a bug of its own breaks the story."""
    if event["event"].endswith("_broke"):
        Story.bug(event["event"], sys.exc_info()[1])
    return ""


def main() -> None:
    order = json.loads(sys.stdin.read())
    structlog.configure(processors=[_hear], logger_factory=structlog.ReturnLoggerFactory())
    take_over()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        runner.run(_tell(order, loop))


if __name__ == "__main__":
    main()
