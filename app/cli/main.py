"""The entry point: all nouns, put together."""

from collections.abc import Callable

import typer

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
from app.cli.output.error_mapping import RootGroup

app = typer.Typer(
    name="twinlink",
    cls=RootGroup,
    help="Keeps issue links in step between Jira sites. Exit codes: 0 done, 1 failed, 2 usage, "
    "3 held.",
    no_args_is_help=True,
    add_completion=False,
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


def main() -> None:
    """Run the command that `sys.argv` names and exit."""
    app(prog_name="twinlink")


if __name__ == "__main__":
    main()
