"""`twinlink apply` and `twinlink export`: sites and connections as a file."""

import json as json_
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from app.cli.client import config_file, difference
from app.cli.client.api_client import Refused, Service, service
from app.cli.client.config_file import SECRETS, ConfigFile
from app.cli.client.connection_config import Current, current, refuse_incomplete
from app.cli.commands.setup.connection_put import WRITING
from app.cli.commands.site import changed
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.options import Yes, confirm
from app.process.exit_code import ExitCode

Config = dict[str, Any]


def apply(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="YAML; `-`: stdin.")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the difference; 3 if there is one.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the file's schema.")] = False,
    yes: Yes = False,
) -> None:
    """Bring sites and connections to what a file says, and show the difference first.

    What the file leaves out is kept, and nothing is deleted. A second time it changes nothing. A
    connection that writes asks before it changes. Secrets are {env: NAME} or {file: PATH}.
    """
    if schema:
        print(json_.dumps(config_file.schema(), indent=2))  # noqa: T201 - for a file, as it is
        return
    if file is None:
        raise UsageError("name the file: -f twinlink.yaml")
    wanted = config_file.read(file)
    api = service(ctx)
    known = {name: current(api, name) for name in wanted.connections}
    live = _shown(api, wanted, known)
    if dry_run:
        raise typer.Exit(ExitCode.DONE if live is None else ExitCode.HELD)
    if live:
        confirm(f"these write to Jira now: {', '.join(live)}", "Change them?", yes=yes)
    _put(api, wanted, known)


def export(ctx: typer.Context) -> None:
    """Print all sites and connections as the file that `apply` takes. Secrets are references."""
    print(config_file.exported(service(ctx)))  # noqa: T201 - for a file, as it is


def _shown(api: Service, wanted: ConfigFile, known: dict[str, Current | None]) -> list[str] | None:
    """Print the difference; the connections that write and would change. None: there is none."""
    any_change, live = False, []
    for name, config in wanted.sites.items():
        lines = list(_site_lines(api, name, config))
        any_change |= bool(lines)
        for line in lines:
            output.line(line)
    for name, config in wanted.connections.items():
        now = known[name]
        if now is None:
            refuse_incomplete(config)
            output.line(f"connection {name}: new, in shadow")
            any_change = True
            continue
        found = difference.preview(api, name, now.config | config)
        if found["changes"]:
            difference.say(name, found)
            any_change = True
            live += [name] if now.mode in WRITING else []
    if not any_change:
        output.line("nothing to change")
    return live if any_change else None


def _site_lines(api: Service, name: str, config: Config) -> Iterator[str]:
    """What of a site is not as it is stored. Whether a secret is, the service alone can say."""
    try:
        known = api.get(f"sites/{name}")
    except Refused as refused:
        if refused.status != 404:
            raise
        yield f"site {name}: new"
        return
    for field, value in config.items():
        if field in SECRETS or field == "auth":
            continue
        if known.get(field) != value:
            yield f"site {name}: {field} {output.cell(known.get(field))} -> {output.cell(value)}"


def _put(api: Service, wanted: ConfigFile, known: dict[str, Current | None]) -> None:
    for name, config in wanted.sites.items():
        stored = changed(api, name, config)
        output.line(f"site {name} is at version {stored['version']}")
        for it in stored["findings"]:
            output.note(f"  {it['severity']}: {it['detail']}")
    for name, config in wanted.connections.items():
        now = known[name]
        body = config if now is None else now.config | config
        stored = api.put(
            f"connections/{name}", body, revision=None if now is None else now.revision
        )
        output.line(f"connection {name} is at revision {stored['revision']}, {stored['mode']}")
