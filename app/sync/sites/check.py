"""Looking at a site from outside: is it there, does it know us, is it the one that we pinned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.core.errors import TwinlinkError
from app.core.incident_site_words import UNSIGNED
from app.core.links import AccountId, LinkType
from app.jira.client import JiraClient
from app.store.config.sites import SiteRow
from app.store.queue.stray_deliveries import Counted, Fault

EXPIRES_SOON = timedelta(days=30)
REPLACED_SHOWN = timedelta(days=30)
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an administrator should know. `error`: what it names does not work before it
    is mended."""

    code: str
    severity: Severity
    detail: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What a site said. None: it did not get that far; the findings say why."""

    identity: str | None
    account_id: AccountId | None
    link_types: tuple[LinkType, ...] | None
    findings: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        return self.identity is not None and self.account_id is not None


_TROUBLE = {
    "token_unavailable": "the OAuth 2.0 server gave no access token",
    "unreachable": "no connection to the base URL could be made",
    "timeout": "the site did not answer in time",
    "dropped": "the site closed the connection",
    "address_refused": "the name leads to a private address; see TWINLINK_ALLOW_PRIVATE_SITES",
    "captcha_required": (
        "the site wants a CAPTCHA solved, and no call leaves: log in there by browser as this"
        " account, then unlock the site here"
    ),
    "link_not_permitted": "the account lacks the permission Link issues",
    "unauthorized": "the site refused the credentials",
    "forbidden": "the site knows the credentials and refuses the call",
    "anonymous": "the site answered as to an anonymous caller: the credentials may have expired",
    "redirected": "the site redirects elsewhere: the base URL is not its own",
    "bad_answer": "the answer is not Jira's: a login page, a proxy, or another product",
    "refused": "the site has no such call: the base URL or the deployment may be wrong",
    "rate_limited": "the site asks to wait",
    "server_error": "the site failed to answer",
}


async def probe(client: JiraClient) -> Probe:
    """Ask who answers, who we are to it, and for its link types; stop at the first trouble."""
    identity = account = types = None
    findings: list[Finding] = []
    try:
        identity = await client.identity()
        account = await client.myself()
        types = tuple(await client.link_types())
    except TwinlinkError as error:
        words = _TROUBLE.get(error.code, "the site could not be asked")
        findings.append(Finding(error.code, "error", words))
    if types == ():
        detail = "the site shows no link types: linking may be off, or no project is visible"
        findings.append(Finding("no_link_types", "error", detail))
    return Probe(identity, account, types, tuple(findings))


def pin_findings(site: SiteRow, seen: Probe) -> Iterable[Finding]:
    """Whether what answered is what was pinned."""
    if site.identity and seen.identity and site.identity != seen.identity:
        detail = "another Jira answers there; nothing is read or written until this is resolved"
        yield Finding("identity_changed", "error", detail)
    if site.account_id and seen.account_id and site.account_id != seen.account_id:
        detail = "the credentials belong to another account now than when they were stored"
        yield Finding("account_changed", "error", detail)


_ASTRAY: Mapping[Fault, str] = {
    "path": "came to nearly the right address, with a slash at its end or capitals: it is"
    " /webhooks/jira/{site}, exactly so, in this Jira's webhook",
    "unsigned": "came without a signature: this Jira signs nothing. " + UNSIGNED,
    "deleted": "came for the site that had this name before",
}


def delivery_findings(counted: Iterable[Counted]) -> Iterable[Finding]:
    """Deliveries that were lost for a reason that only this side can see."""
    for it in counted:
        last = it.last_at.isoformat(timespec="seconds")
        words = _ASTRAY[it.fault].format(site=it.site)
        detail = f"{it.total} deliveries, the last at {last}, {words}"
        yield Finding(f"deliveries_{it.fault}", "warning", detail)


def standing_findings(
    *,
    account_dedicated: bool,
    circuit_open_since: datetime | None,
    token_expires_at: datetime | None,
    token_replaced_at: datetime | None,
    now: datetime,
) -> Iterable[Finding]:
    """What no answer can show, so that a person has to declare or check it."""
    if circuit_open_since is not None:
        since = circuit_open_since.isoformat(timespec="seconds")
        detail = f"calls are stopped since {since}, for it failed; they go on once it answers"
        yield Finding("circuit_open", "warning", detail)
    if not account_dedicated:
        detail = "declare account_dedicated, or connections on this site stay in shadow"
        yield Finding("account_not_dedicated", "warning", detail)
    if token_expires_at is not None and token_expires_at <= now + EXPIRES_SOON:
        word = "expires" if token_expires_at > now else "has expired"
        at = token_expires_at.isoformat(timespec="minutes")
        detail = f"the token {word} at {at}: make another one there and store it here"
        yield Finding("token_expires", "warning", detail)
    if token_replaced_at is not None and token_replaced_at >= now - REPLACED_SHOWN:
        at = token_replaced_at.isoformat(timespec="minutes")
        detail = (
            f"the second token is in use since {at}, for the first was refused: store the time"
            " when it expires"
        )
        yield Finding("token_replaced", "info", detail)
