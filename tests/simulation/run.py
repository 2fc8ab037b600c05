"""Tell many stories, in several processes: `python -m tests.simulation.run --seeds 2000`.

Every process has a throw-away PostgreSQL of its own: what one story's transactions leave behind
on a page, and so where the next row goes, depends on all that the server has open. A story that
breaks a promise is printed and can be told again, exactly: `--seed 1234`.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg

from app.embedded import PostgresServer, start_postgres, throwaway_directory
from tests.support.servers import Servers, ensure_template, throwaway_parent

SHOWN = 45
"""Lines of a broken story that are printed; `--all-lines` prints the rest as well."""


def main() -> int:
    options = _options().parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of strings is part of a story.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]])  # noqa: S606
    seeds = [options.seed] if options.seed is not None else _seeds(options)
    jobs = max(1, min(options.jobs, len(seeds)))
    with ExitStack() as stack, ThreadPoolExecutor(jobs) as pool:
        directories = [
            stack.enter_context(throwaway_directory(throwaway_parent())) for _ in range(jobs)
        ]
        started = list(pool.map(_start, directories))
        servers = [Servers(stack.enter_context(it).url, "", "simulation") for it in started]
        for it in servers:  # Alembic does one migration at a time
            asyncio.run(_prepare(it))
        return _report(options, seeds, _tell(options, servers, seeds))


def _start(directory: Path) -> PostgresServer:
    return start_postgres(directory, durable=False)


async def _prepare(servers: Servers) -> None:
    """A migrated database to copy. No vacuum by itself: where rows lie, and so the order in
    which equal ones are found, must follow from the story alone."""
    await ensure_template(servers)
    admin = await asyncpg.connect(servers.postgres)
    await admin.execute("ALTER SYSTEM SET autovacuum = off")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()


def _options() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(prog="simulate", description=__doc__)
    it.add_argument("--seeds", type=int, default=300, help="how many")
    it.add_argument("--first", type=int, default=0, help="the first of them")
    it.add_argument("--seed", type=int, help="only this one, with its story")
    it.add_argument("--acts", type=int, help="no more than so many acts")
    it.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    it.add_argument("--plant", help="a bug to plant first (tests.simulation.bugs)")
    it.add_argument("--until-broken", action="store_true", help="end at the first broken promise")
    it.add_argument("--all-lines", action="store_true", help="print whole stories")
    it.add_argument("--digests", action="store_true", help="print every story's digest")
    return it


def _seeds(options: argparse.Namespace) -> list[int]:
    return list(range(options.first, options.first + options.seeds))


def _tell(
    options: argparse.Namespace, servers: Sequence[Servers], seeds: list[int]
) -> Iterator[dict[str, Any]]:
    """Each story's ending, as they come, by one process for each server."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.teller"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in servers
    ]
    try:
        for at, child in enumerate(children):
            order = {
                "servers": servers[at].packed(),
                "name": "twinlink_simulation",
                "seeds": seeds[at :: len(servers)],
                "acts": options.acts,
                "plant": options.plant,
            }
            assert child.stdin is not None
            child.stdin.write(json.dumps(order))
            child.stdin.close()
        yield from _lines(children)
    finally:
        for child in children:
            child.kill()
            child.wait()


def _lines(children: list[subprocess.Popen[str]]) -> Iterator[dict[str, Any]]:
    import selectors  # noqa: PLC0415

    with selectors.DefaultSelector() as selector:
        for child in children:
            assert child.stdout is not None
            selector.register(child.stdout, selectors.EVENT_READ, child)
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if line:
                    yield json.loads(line)
                else:
                    selector.unregister(key.fileobj)
                    if key.data.wait() != 0:
                        raise SystemExit(f"a teller ended with {key.data.returncode}")


def _report(
    options: argparse.Namespace, seeds: list[int], endings: Iterator[dict[str, Any]]
) -> int:
    began, told, broken = time.perf_counter(), 0, []
    for it in endings:
        told += 1
        if options.digests:
            print(f"{it['seed']} {it['digest']}", flush=True)
        if it["broken"] or options.seed is not None or options.all_lines:
            _print_story(it, options)
        if it["broken"]:
            broken.append(it["seed"])
            if options.until_broken:
                break
        if told % 100 == 0:
            print(f"… {told} of {len(seeds)}, {len(broken)} broken", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - began
    print(f"{told} stories in {seconds:.0f} s, {len(broken)} broken {sorted(broken)}", flush=True)
    return 1 if broken else 0


def _print_story(it: dict[str, Any], options: argparse.Namespace) -> None:
    lines = it["lines"]
    if not options.all_lines:
        lines = [line for line in lines if _matters(line[1])][-SHOWN:]
    print(f"\nseed {it['seed']}, digest {it['digest']}, {it['steps']} steps")
    for at, line in lines:
        print(f"  {at:10.3f}  {line}")
    if it["broken"]:
        print(f"  BROKEN: {it['broken']}")
        print(f"  again: make simulate SEED={it['seed']}\n", flush=True)


def _matters(line: str) -> bool:
    """What happened, without every statement."""
    return line.startswith(("---", "BROKEN", "*")) or "->" in line


if __name__ == "__main__":
    sys.exit(main())
