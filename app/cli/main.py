"""The entry point: all nouns, put together."""

import typer

from app.cli import connection, guard, site
from app.cli.api import api
from app.cli.migrate import migrate
from app.cli.mode import mode
from app.cli.pause import pause, resume
from app.cli.root import RootGroup
from app.cli.status import status
from app.cli.up import up
from app.cli.worker import worker

app = typer.Typer(
    name="twinlink",
    cls=RootGroup,
    help="Keeps issue links in step between Jira sites. Exit codes: 0 done, 1 failed, 2 usage, "
    "3 held.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with the values of variables would show secrets.
    pretty_exceptions_enable=False,
)

for command in (up, api, worker, migrate, status, pause, resume, mode):
    app.command()(command)
for noun in (site, connection, guard):
    app.add_typer(noun.app, name=noun.__name__.rpartition(".")[2])


def main() -> None:
    """Run the command that `sys.argv` names and exit."""
    app(prog_name="twinlink")


if __name__ == "__main__":
    main()
