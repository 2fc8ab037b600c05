"""The entry point: all nouns, each loaded when it is named."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from app import __version__
from app.cli.output import output
from app.cli.output.error_mapping import RootGroup

# By name: the module under `app.cli.commands`, which has a function of that name, or the `app` of a
# noun; and its help in one line, as the module has it.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": (
        "run.up",
        "Run everything on this machine: PostgreSQL, Valkey, migrations, the API and a worker.",
    ),
    "api": ("run.api", "Run the HTTP process: REST, webhooks and probes."),
    "worker": ("run.worker", "Run a worker process."),
    "migrate": ("run.migrate", "Update the database to the schema of this version."),
    "doctor": (
        "run.doctor",
        "Check the settings, the database and its roles, clocks, Redis, the API and every site.",
    ),
    "evaluate": (
        "run.evaluate",
        "Make recorded decisions again with this version, and list those that differ.",
    ),
    "openapi": ("run.openapi", "Print the OpenAPI document of this version."),
    "init": (
        "setup.init",
        "Set up a connection step by step, from two addresses and two tokens.",
    ),
    "apply": (
        "setup.apply",
        "Bring sites and connections to what a file says, and show the difference first.",
    ),
    "export": (
        "setup.apply",
        "Print all sites and connections as the file that `apply` takes.",
    ),
    "status": (
        "status",
        "Show the state of the connections: what waits, what is held, what failed.",
    ),
    "open": (
        "open_page",
        "Print the console's address for an issue, a connection, a plan, an incident or a page.",
    ),
    "pause": ("pause", "Stop writing to Jira and only store webhooks."),
    "resume": ("pause", "End a pause."),
    "mode": (
        "mode",
        "Show or set the mode: shadow (only plans), create_only, review (holds removals) or live.",
    ),
    "explain": (
        "explain",
        "Show for each link of an issue its state, what a sync would do now, and why.",
    ),
    "links": (
        "links",
        "List the links that a connection keeps in step, or knows and leaves alone.",
    ),
    "resync": ("resync", "Compare the twins of a connection and bring their links in step."),
    "rollback": ("repair.rollback", "Return to an earlier configuration."),
    "restore": ("repair.restore", "Plan to put back links that Twinlink removed."),
    "rescue": (
        "repair.rescue",
        "Plan to put back the links that an account removed on a site within a time window.",
    ),
    "adopt": (
        "repair.adopt",
        "Plan to manage the link pairs of which an account wrote exactly one side.",
    ),
    "deliveries": ("deliveries", "List the webhook deliveries of the last 14 days, newest first."),
    "site": ("site", "The Jira sites."),
    "connection": ("connection", "Connections between two sites."),
    "twins": ("twins", "Twins: which issues are the same work on both sites."),
    "guard": ("guard", "The guard, which holds removals that look like an accident."),
    "plan": ("plan", "Plans: the writes that would be made."),
    "resyncs": ("resyncs", "Comparisons of both sides, running and finished."),
    "restores": ("repair.restores", "Restores and rescues, running and finished."),
    "failures": ("failures", "Twins that could not be brought in step after all tries."),
    "incident": ("incident", "What is or was wrong, and what to do next."),
    "engine": (
        "engine",
        "Versions of Twinlink, and what they decide otherwise than those before them.",
    ),
    "audit": ("audit", "The append-only record of every write to Jira."),
    "webhooks": ("webhooks", "The webhooks of a Jira site."),
    "token": ("token", "Tokens for the API."),
    "secrets": ("secrets", "The key that encrypts the credentials of sites."),
}
_SETTINGS_OF_A_SITE = {
    "sign-in": "sign_in",
    "rehome": "rehome",
    "network": "network",
    "basic-webhooks": "basic_webhooks",
}


class Nouns(RootGroup):
    """Listing the commands loads none of them, and running one loads no other: what a noun
    imports takes longer than most of what is asked of it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            name: TyperCommand(name, help=text, short_help=text, rich_markup_mode=None)
            for name, (_, text) in COMMANDS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load(name), rest


def load(name: str) -> Any:
    """The command or group of this name, whole."""
    module = import_module(f"app.cli.commands.{COMMANDS[name][0]}")
    if not hasattr(module, "app"):
        return _single(name, getattr(module, name))
    if name == "site":
        _add_settings(module.app)
    module.app.rich_markup_mode = None
    group = typer.main.get_group(module.app)
    group.name = name
    for command in getattr(group, "commands", {}).values():
        # Its whole first sentence, over several lines where it must: Click would cut it.
        command.short_help = (command.help or "").strip().split("\n\n")[0]
    return group


def _single(name: str, function: Any) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(function)
    return typer.main.get_command(alone)


def _add_settings(site: typer.Typer) -> None:
    known: Sequence[str | None] = [it.name for it in site.registered_commands]
    settings = import_module("app.cli.commands.site_settings")
    for name, function in _SETTINGS_OF_A_SITE.items():
        if name not in known:
            site.command(name)(getattr(settings, function))


app = typer.Typer(
    name="twinlink",
    cls=Nouns,
    no_args_is_help=True,
    # Click's plain help: it wraps to the terminal and never cuts the name of an option.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    # The values of variables in a traceback could include secrets.
    pretty_exceptions_enable=False,
)


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
