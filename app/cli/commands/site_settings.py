"""What a site needs beside its address: how it lets us in, how it is reached, how it delivers."""

from typing import Annotated, Any

import typer

from app.cli.client.api_client import Service, service
from app.cli.commands.repair.rehome import rehome
from app.cli.commands.site import changed, shown
from app.cli.output.errors import UsageError
from app.cli.output.files import STDIN, secret_of, text_of
from app.cli.output.options import Json, SiteName

__all__ = ["basic_webhooks", "network", "rehome", "sign_in"]

Expires = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When the token expires, such as 2030-01-31T00:00Z."),
]


Email = Annotated[str | None, typer.Option(help="Without it the token is a bearer.")]
TokenFile = Annotated[str | None, typer.Option(help="API token file; `-`: stdin.")]
SecondFile = Annotated[
    str | None, typer.Option(help="File of the token that takes over once Jira refuses the first.")
]
ClientId = Annotated[str | None, typer.Option(help="Of a service account, OAuth 2.0.")]
ClientSecretFile = Annotated[str | None, typer.Option(help="Client secret file; `-`: stdin.")]
TokenUrl = Annotated[
    str | None,
    typer.Option(help="Where its access tokens come from; for Cloud, by default, Atlassian's."),
]
TokenAgain = Annotated[
    str | None,
    typer.Option(help="File of the token or client secret in use: new authorities need it again."),
]
HookSecretFile = Annotated[
    str | None, typer.Option(help="File of the webhook secret in use: they need it again as well.")
]
Scope = Annotated[str | None, typer.Option(help="What to ask for: a Data Center's.")]


def sign_in(
    ctx: typer.Context,
    name: SiteName,
    *,
    email: Email = None,
    token_file: TokenFile = None,
    second_token_file: SecondFile = None,
    client_id: ClientId = None,
    client_secret_file: ClientSecretFile = None,
    token_url: TokenUrl = None,
    scope: Scope = None,
    token_expires: Expires = None,
    json: Json = False,
) -> None:
    """Change how a site lets us in: tokens, two of them while one is exchanged, or OAuth 2.0."""
    if [token_file, second_token_file, client_secret_file].count(STDIN) > 1:
        raise UsageError("standard input can hold one secret only")
    parts = {
        "email": email,
        "token": secret_of(token_file),
        "second_token": secret_of(second_token_file),
        "client_id": client_id,
        "client_secret": secret_of(client_secret_file),
        "token_url": token_url,
        "scope": scope,
    }
    auth = {part: value for part, value in parts.items() if value is not None}
    if not auth:
        raise UsageError("nothing to change: see --help")
    api = service(ctx)
    chosen = {"auth": {"kind": _kind(api, name, auth), **auth}}
    shown(changed(api, name, chosen | _expiry(api, name, auth, token_expires)), json=json)


def _expiry(api: Service, name: str, auth: dict[str, str], given: str | None) -> dict[str, Any]:
    """The time that is given, or the one that is stored where the first token stays."""
    if given is None and not {"token", "client_id"} & auth.keys():
        given = api.get(f"sites/{name}").get("token_expires_at")
    return {} if given is None else {"token_expires_at": given}


def _kind(api: Service, name: str, auth: dict[str, str]) -> str:
    if "client_id" in auth or "client_secret" in auth:
        return "oauth"
    if "email" in auth:
        return "basic"
    return str(api.get(f"sites/{name}")["auth"]["kind"])


def network(
    ctx: typer.Context,
    name: SiteName,
    *,
    ca_file: Annotated[
        str | None,
        typer.Option(
            help="PEM file of authorities that this site's certificate may come from, beside the"
            " public ones; an empty text: none."
        ),
    ] = None,
    proxy_file: Annotated[
        str | None, typer.Option(help="File with the URL of a proxy for this site; `-`: stdin.")
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Reach this site without any proxy.")
    ] = False,
    installation: Annotated[
        bool, typer.Option("--installation", help="Reach it as all sites: TWINLINK_HTTPS_PROXY.")
    ] = False,
    token_file: TokenAgain = None,
    webhook_secret_file: HookSecretFile = None,
    json: Json = False,
) -> None:
    """Change how a site is reached: private authorities, an outbound proxy of its own."""
    if [proxy_file is not None, direct, installation].count(True) > 1:
        raise UsageError("one of --proxy-file, --direct and --installation")
    if [proxy_file, token_file, webhook_secret_file].count(STDIN) > 1:
        raise UsageError("standard input can hold one secret only")
    chosen: dict[str, Any] = {}
    if ca_file is not None:
        chosen["ca_certificates"] = text_of(ca_file) if ca_file else ""
    if proxy_file is not None:
        chosen["proxy"] = {"kind": "own", "url": secret_of(proxy_file)}
    elif direct or installation:
        chosen["proxy"] = {"kind": "direct" if direct else "installation"}
    if not chosen:
        raise UsageError("nothing to change: see --help")
    api = service(ctx)
    if token_file is not None:
        chosen |= _again(api, name, secret_of(token_file))
    if webhook_secret_file is not None:
        chosen["webhook_secret"] = secret_of(webhook_secret_file)
    shown(changed(api, name, chosen), json=json)


def _again(api: Service, name: str, secret: str | None) -> dict[str, Any]:
    """The secret that the site has already; it expires when it did."""
    known = api.get(f"sites/{name}")
    kind, ends = known["auth"]["kind"], known.get("token_expires_at")
    auth = {"kind": kind, "client_secret" if kind == "oauth" else "token": secret}
    return {"auth": auth} | ({} if ends is None else {"token_expires_at": ends})


def basic_webhooks(
    ctx: typer.Context,
    name: SiteName,
    *,
    allow: Annotated[bool, typer.Option("--allow/--refuse", help="Off at first.")] = True,
    json: Json = False,
) -> None:
    """Take deliveries whose URL brings the webhook secret, for a Data Center that signs nothing.

    Enter https://twinlink:SECRET@HOST/webhooks/jira/NAME as the webhook's URL there. The secret
    shows in that Jira's list of webhooks; a signature is better wherever there is one.
    """
    shown(changed(service(ctx), name, {"webhook_basic": allow}), json=json)
