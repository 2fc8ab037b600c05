"""`twinlink explain`: why each link of an issue is as it is."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from app.cli.client.api_client import Refused, Service, service
from app.cli.output import output
from app.cli.output.errors import CommandError
from app.cli.output.options import IssueKey, Json


def explain(
    ctx: typer.Context,
    issue: IssueKey,
    connection: Annotated[
        str | None,
        typer.Option(help="Name of a connection; default: all in which the issue has a twin."),
    ] = None,
    json: Json = False,
) -> None:
    """Show for each link of an issue its state, what a sync would do now, and why.

    Reads both sites now and writes nothing.
    """
    api = service(ctx)
    if connection is None:
        found = list(_anywhere(api, issue))
        if not found:
            raise CommandError(f"{issue} has no twin in any connection")
    else:
        found = [_there(api, connection, issue)]
    if json:
        output.document({"issue": issue, "connections": found})
        return
    for explanation in found:
        output.line(explanation["connection"])
        for link in explanation["items"]:
            for text in _told(link):
                output.line(f"  {text}")
        if not explanation["items"]:
            output.line("  no links")


def _there(api: Service, connection: str, issue: str) -> dict[str, Any]:
    explanation = api.get(f"connections/{connection}/explain", {"issue": issue})
    return {"connection": connection, "items": explanation["items"]}


def _anywhere(api: Service, issue: str) -> Iterator[dict[str, Any]]:
    for connection in api.every("connections"):
        try:
            yield _there(api, connection["name"], issue)
        except Refused as refused:
            if refused.reason != "twin_unknown":
                raise


def _told(link: Mapping[str, Any]) -> Iterator[str]:
    """The link on each side, its state, the decision, what both sites show, and its history."""
    yield " = ".join(_sentence(link[side]) for side in ("left", "right") if link[side])
    known = [link["state"] or "not in the ledger"]
    known += [f"origin {link['origin']}"] if link["origin"] else []
    known += [f"author {link['authorship']}"] if link["authorship"] else []
    yield f"  {', '.join(known)}"
    yield f"  {link['outcome'].replace('_', ' ')}: {link['reason']}"
    for side, seen in link["evidence"].items():
        yield f"  {side}: {_seen(seen)}"
    for past in link["history"]:
        cause = f"{past['cause']['kind']} {past['cause']['id']}".strip()
        yield f"  {past['at']} {past['operation']} {past['status']} on {past['site']}, by {cause}"


def _seen(it: Mapping[str, Any]) -> str:
    """What a side showed. The rest of the evidence is in `--json`."""
    match it["seen"]:
        case "present":
            said = f"there, {_links(it['link_ids'])}"
            ours = f", {_made(it)}" if it.get("made_by_us") else ""
            other = f", another account's: {_links(it['foreign'])}" if it.get("foreign") else ""
            gone = ", ours is proven gone" if it.get("known_gone") else ""
            return said + ours + other + gone
        case "absent":
            return "proven gone"
        case "unlisted":
            return "not listed"
        case _:
            return f"not known ({str(it.get('reason', '')).replace('_', ' ')})"


def _made(it: Mapping[str, Any]) -> str:
    every = it["made_by_us"] == it["link_ids"]
    return "made by us" if every else f"made by us: {_links(it['made_by_us'])}"


def _links(ids: list[str]) -> str:
    return f"link{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids)) or 'none'}"


def _sentence(end: Mapping[str, Any]) -> str:
    was = f" (was {', '.join(end['type_was'])})" if end.get("type_was") else ""
    return f"{end['source']['key']} {end['type']}{was} {end['destination']['key']}"
