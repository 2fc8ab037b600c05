"""`twinlink audit verify`: is the record whole and unchanged?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli.checks.audit_export import ChainCheck, kept_heads
from app.cli.client.api_client import Service, service
from app.cli.client.follow import looks
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.files import reading, text_of
from app.cli.output.options import Json
from app.process.exit_code import ExitCode

_STEP = 10_000
_NOT_ANCHORED = "not_anchored"
_FAULTS = {
    "gap": "a row is missing or in the wrong place",
    "prev_hash": "the hash of the row before it does not match",
    "hash": "its content has changed since it was recorded",
    "cut_off": "rows at the end are missing",
    "beyond_head": "there are more rows than were recorded",
    "no_head": "the chain has no head, so its end is not known; give --heads, or export it whole",
    "incomplete": "the export ended early: its token ended, or the token's connections changed",
    "malformed": "the line is neither a row nor a head",
}
_OVER = frozenset({"accepted", "refused", "failed"})


def verify(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE", help="An export; `-`: stdin. Without it the service checks."
        ),
    ] = None,
    heads: Annotated[
        str | None, typer.Option(metavar="FILE", help="Heads kept elsewhere, as JSON.")
    ] = None,
    json: Json = False,
) -> None:
    """Check the hash chains of the audit. With FILE it needs neither the service nor a token.

    Says where a chain does not hold, and ends with 1 then. Ends with 3 where all that is there
    holds, and no head says where it ends, or no row is there: that proves nothing.
    """
    if file is not None:
        verdict = _offline(file, heads)
    elif heads is not None:
        raise UsageError("--heads needs FILE; the service has its own heads")
    else:
        verdict = _online(service(ctx))
    if json:
        output.document(verdict)
    else:
        _say(verdict)
    if verdict["status"] == _NOT_ANCHORED:
        raise typer.Exit(ExitCode.HELD)
    if verdict["status"] != "accepted":
        raise typer.Exit(ExitCode.FAILED)


def _offline(file: str, heads: str | None) -> dict[str, Any]:
    check = ChainCheck({} if heads is None else _kept(heads))
    with reading(file) as lines, output.progress() as progress:
        task = progress.add_task("rows", total=None)
        try:
            for number, line in enumerate(lines, start=1):
                check.feed(number, line)
                if number % _STEP == 0:
                    progress.update(task, completed=number)
        except UnicodeDecodeError:
            raise UsageError(f"{file} is not UTF-8 text") from None
    places = [asdict(place) for place in check.finish()]
    return {
        "status": _status(check.rows, places),
        "rows": check.rows,
        "chains": check.ends(),
        "places": places,
    }


def _status(rows: int, places: Sequence[Mapping[str, Any]]) -> str:
    if any(place["fault"] != "no_head" for place in places):
        return "refused"
    return _NOT_ANCHORED if places or not rows else "accepted"


def _kept(heads: str) -> dict[str, dict[int, str]]:
    try:
        return kept_heads(text_of(heads))
    except ValueError as error:
        raise UsageError(f"{heads} cannot be used: {error}") from None


def _online(api: Service) -> dict[str, Any]:
    started = api.post("audit/verifications")
    path = f"audit/verifications/{started['id']}"
    with output.progress() as progress:
        task = progress.add_task("rows", total=None)
        for state in looks(lambda: api.get(path), first=started):
            progress.update(task, completed=state.get("rows") or 0)
            if state["status"] in _OVER:
                break
    place = state.get("place")
    return {**state, "places": [place] if place else []}


def _say(verdict: dict[str, Any]) -> None:
    for place in verdict["places"]:
        where = f"{place.get('connection') or 'chain'} ({place.get('chain')}), {place.get('seq')}"
        line = f", line {place['line']}" if place.get("line") else ""
        fault = str(place.get("fault"))
        output.line(f"{where}{line}: {fault}: {_FAULTS.get(fault, '')}")
    if verdict.get("detail"):
        output.line(str(verdict["detail"]))
    said = "not anchored" if verdict["status"] == _NOT_ANCHORED else verdict["status"]
    output.line(f"{said}: {verdict['rows']} rows")
