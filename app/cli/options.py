"""Options that many commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, help="Rows at most.")]
ConnectionName = Annotated[str, typer.Argument(metavar="CONNECTION", help="Name of a connection.")]
SiteName = Annotated[str, typer.Argument(metavar="SITE", help="Name of a site.")]
