"""`twinlink evaluate`: would this version decide as those before it did?"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from app import __version__
from app.cli.client.data_dir import client_settings
from app.cli.commands.run.api import require_database
from app.cli.output import output
from app.cli.output.options import Json, counted
from app.cli.output.times import since as since_option
from app.core.recorded.evaluation import Difference, Evaluation, Rule
from app.process.exit_code import ExitCode

_COLUMNS = (
    ("COUNT", "count"),
    ("THEN", "then"),
    ("NOW", "now"),
    ("CONNECTIONS", "connections"),
    ("EXAMPLES", "ids"),
)


@dataclass(frozen=True, slots=True)
class _Found:
    evaluation: Evaluation
    names: Mapping[int, str]
    dropped: int


def evaluate(
    since: Annotated[str, since_option("Decisions made since then")] = "7d",
    against: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Only decisions of this version: twinlink/0.1.0."),
    ] = None,
    json: Json = False,
) -> None:
    """Make recorded decisions again with this version, and list those that differ.

    Run it where the service runs: it needs TWINLINK_DATABASE_URL (set by itself where
    `twinlink up` runs), and neither Jira nor a running service. Writes nothing. Ends with 0 where
    none differs, with 3 where some do.
    """
    found = asyncio.run(_evaluated(datetime.fromisoformat(since), against))
    if json:
        output.document(_document(found, against))
    else:
        _say(found)
    if found.evaluation.differ:
        raise typer.Exit(ExitCode.HELD)


async def _evaluated(since: datetime, engine: str | None) -> _Found:
    from app.store.pool import Database, open_pool  # noqa: PLC0415 - slow, and others speak REST
    from app.store.upkeep import recorded_decisions  # noqa: PLC0415
    from app.sync.reconcile.evaluate import evaluate as made_again  # noqa: PLC0415

    settings = client_settings()
    require_database(settings)
    assert settings.database_url is not None
    pool = await open_pool(settings.database_url.get_secret_value(), low=1, high=1)
    async with pool:
        database = Database(pool)
        found = await made_again(database, since=since, engine=engine)
        ids = {it.connection_id for one in found.differences.values() for it in one.examples}
        async with database.connection() as conn:
            return _Found(
                found,
                await recorded_decisions.names(conn, sorted(ids)),
                await recorded_decisions.dropped(conn, since),
            )


def _say(found: _Found) -> None:
    it = found.evaluation
    rows = [_row(found, rule, one) for rule, one in _sorted(it)]
    if it.differ:
        output.table(_COLUMNS, rows, empty="")
        output.line(f"{it.differ} of {counted(it.compared, 'recorded decision')} differ")
    elif it.compared:
        output.line(f"none of {counted(it.compared, 'recorded decision')} differs")
    else:
        output.line("no decision is recorded that could be compared")
    for version, count in sorted(it.unreadable.items()):
        output.note(f"{counted(count, 'record')} of format {version} cannot be read here")
    if found.dropped:
        output.note(f"{found.dropped} more were above the bound of their day and not recorded")


def _sorted(it: Evaluation) -> list[tuple[Rule, Difference]]:
    """Removals that are new first, then by number."""
    return sorted(it.differences.items(), key=lambda at: (not at[0].removes, -at[1].count, at[0]))


def _row(found: _Found, rule: Rule, one: Difference) -> dict[str, Any]:
    named = {found.names.get(it.connection_id, str(it.connection_id)) for it in one.examples}
    return {
        "count": one.count,
        "then": _rule(rule.row, rule.outcome),
        "now": _rule(rule.row_now, rule.outcome_now),
        "connections": sorted(named),
        "ids": [str(it.id) for it in one.examples],
    }


def _rule(row: int, outcome: str) -> str:
    return f"{outcome} (row {row})" if row else outcome


def _document(found: _Found, against: str | None) -> dict[str, Any]:
    it = found.evaluation
    return {
        "engine": f"twinlink/{__version__}",
        "against": against,
        "compared": it.compared,
        "differ": it.differ,
        "unreadable": {str(version): count for version, count in sorted(it.unreadable.items())},
        "not_recorded": found.dropped,
        "differences": [
            {
                "then": {"row": rule.row, "outcome": rule.outcome},
                "now": {"row": rule.row_now, "outcome": rule.outcome_now},
                "count": one.count,
                "examples": [
                    {
                        "id": str(at.id),
                        "connection": found.names.get(at.connection_id, str(at.connection_id)),
                        "revision": at.revision,
                        "engine": at.engine,
                        "link": {
                            "left_type": at.key.left_type,
                            "source_twin": str(at.key.source_twin),
                            "destination_twin": str(at.key.destination_twin),
                        },
                    }
                    for at in one.examples
                ],
            }
            for rule, one in _sorted(it)
        ],
    }
