"""The entry point: all nouns, put together."""

from collections.abc import Callable
from typing import Annotated

import typer

from app import __version__
from app.cli.commands import (
    audit,
    connection,
    failures,
    guard,
    incident,
    plan,
    resyncs,
    secrets,
    site,
    site_settings,
    token,
    twins,
    webhooks,
)
from app.cli.commands.deliveries import deliveries
from app.cli.commands.explain import explain
from app.cli.commands.links import links
from app.cli.commands.mode import mode
from app.cli.commands.pause import pause, resume
from app.cli.commands.repair import restores
from app.cli.commands.repair.adopt import adopt
from app.cli.commands.repair.rescue import rescue
from app.cli.commands.repair.restore import restore
from app.cli.commands.repair.rollback import rollback
from app.cli.commands.resync import resync
from app.cli.commands.run.api import api
from app.cli.commands.run.doctor import doctor
from app.cli.commands.run.migrate import migrate
from app.cli.commands.run.openapi import openapi
from app.cli.commands.run.up import up
from app.cli.commands.run.worker import worker
from app.cli.commands.status import status
from app.cli.output import output
from app.cli.output.error_mapping import RootGroup

app = typer.Typer(
    name="twinlink",
    cls=RootGroup,
    no_args_is_help=True,
    # Click's plain help: it wraps to the terminal and never cuts the name of an option.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    # The values of variables in a traceback could include secrets.
    pretty_exceptions_enable=False,
)

_RUN = (up, api, worker, migrate, doctor, openapi)
_COMMANDS = (
    status,
    pause,
    resume,
    mode,
    explain,
    links,
    resync,
    rollback,
    restore,
    rescue,
    adopt,
    deliveries,
)
_SETTINGS: dict[str, Callable[..., None]] = {
    "sign-in": site_settings.sign_in,
    "network": site_settings.network,
    "basic-webhooks": site_settings.basic_webhooks,
}
"""Of a site."""
_NOUNS = (
    site,
    connection,
    twins,
    guard,
    plan,
    resyncs,
    restores,
    failures,
    incident,
    audit,
    webhooks,
    token,
    secrets,
)

for _command in (*_RUN, *_COMMANDS):
    app.command()(_command)
for _name, _settings in _SETTINGS.items():
    site.app.command(_name)(_settings)
for _noun in _NOUNS:
    app.add_typer(_noun.app, name=_noun.__name__.rpartition(".")[2])


def _say_version(wanted: bool) -> None:
    if wanted:
        output.line(f"twinlink {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keeps issue links in step between Jira sites.

    Exit codes: 0 done, 1 failed, 2 usage, 3 held for a person's decision.
    """


def main() -> None:
    """Run the command that `sys.argv` names and exit."""
    app(prog_name="twinlink")


if __name__ == "__main__":
    main()
