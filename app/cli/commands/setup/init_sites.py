"""The first half of `twinlink init`: a site, from its address and a token."""

import secrets
from dataclasses import dataclass
from typing import Any

from app.cli.client.api_client import Refused, Service
from app.cli.commands import webhooks
from app.cli.output import output
from app.cli.output.error_mapping import expected
from app.cli.output.errors import CommandError
from app.cli.output.prompts import Prompts
from app.core.errors import TwinlinkError

_EVENTS = "issue link created, issue link deleted, issue created, issue updated, issue deleted"
_KINDS = {
    "cloud": ("Jira Cloud", "E-mail and API token, apart by a space"),
    "datacenter": ("Jira Data Center", "Personal access token"),
}


@dataclass(frozen=True, slots=True)
class Where:
    base: str
    kind: str


def set_up(api: Service, ask: Prompts, name: str) -> dict[str, Any]:
    """The site, checked, with its webhook. One that is there already is not asked about."""
    known = _known(api, name)
    if known is not None and api.post(f"sites/{name}/check")["ok"]:
        output.note(f"{name} is {known['base_url']}, set up before")
        _webhook_again(name)
        return known
    stored = ask.until_right(lambda: _asked(api, ask, name))
    output.note(f"{name}: {_KINDS[stored['deployment']][0]} at {stored['base_url']}, checked")
    return stored


def _known(api: Service, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = api.get(f"sites/{name}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    return found


def _asked(api: Service, ask: Prompts, name: str) -> dict[str, Any]:
    """Raises `CommandError` for what can be answered again."""
    where = ask.until_right(lambda: _where(api, ask, name))
    title, wanted = _KINDS[where.kind]
    output.note(f"  that is {title}")
    secret = secrets.token_hex(24)
    body = {
        "base_url": where.base,
        "deployment": where.kind,
        "auth": _auth(ask.text(wanted, hidden=True), where.kind),
        "webhook_secret": secret,
    }
    stored: dict[str, Any] = api.put(f"sites/{name}", body)
    errors = [it["detail"] for it in stored["findings"] if it["severity"] == "error"]
    if errors:
        raise CommandError(f"{name} cannot be used like this", details=errors)
    _webhook(name, secret)
    return stored


def _where(api: Service, ask: Prompts, name: str) -> Where:
    address = ask.text(f"Address of the {name} Jira")
    found = api.post("site_addresses", {"address": address})
    if found["deployment"] is None:
        raise CommandError(f"{found['base_url']} does not say which Jira it is")
    return Where(found["base_url"], found["deployment"])


def _auth(text: str, kind: str) -> dict[str, str]:
    parts = text.split()
    if kind == "cloud":
        if len(parts) != 2 or "@" not in parts[0]:
            raise CommandError(
                "Jira Cloud takes an account's e-mail and one of its API tokens",
                details=["such as: sync@example.org ATATT3x…, both on one line"],
            )
        return {"kind": "basic", "email": parts[0], "token": parts[1]}
    if len(parts) != 1:
        raise CommandError("Data Center takes a personal access token, without an e-mail")
    return {"kind": "bearer", "token": parts[0]}


def _webhook(name: str, secret: str) -> None:
    """Registered, or the form to fill in by hand."""
    try:
        hook = webhooks.registered(name, None, replace=True)
    except (CommandError, TwinlinkError) as error:
        why = _why(error)
        output.note(f"  its webhook could not be registered: {why}; an administrator enters it:")
        output.note(f"    URL     {webhooks.address(name)}")
        output.note(f"    secret  {secret}")
        output.note(f"    events  {_EVENTS}")
        return
    output.note(f"  its webhook is registered, at {hook['url']}")


def _webhook_again(name: str) -> None:
    """An interruption may have come between the site and its webhook: one that is there stays."""
    try:
        hook = webhooks.registered(name, None, replace=False)
    except (CommandError, TwinlinkError) as error:
        output.note(f"  whether its webhook is there cannot be seen: {_why(error)}; to enter one:")
        output.command(f"twinlink site put {name} --webhook-secret-file FILE")
        return
    output.note(f"  its webhook is registered, at {hook['url']}")


def _why(error: CommandError | TwinlinkError) -> str:
    return error.message if isinstance(error, CommandError) else expected(error).message
