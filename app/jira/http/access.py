"""What a client needs to know about one site. Built by `wiring` from the stored row."""

import base64
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from app.core.links import AccountId
from app.core.own_accounts import OwnAccounts, Tenure

Deployment = Literal["cloud", "datacenter"]

ATLASSIAN_TOKENS = "https://auth.atlassian.com/oauth/token"
"""Where a service account of Atlassian Cloud gets its access tokens (docs/jira.md)."""


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """E-mail address and API token, for a Cloud site under its own address. `second` is the token
    that takes over once Jira refuses the first."""

    email: str = field(repr=False)
    token: str = field(repr=False)
    second: str | None = field(default=None, repr=False)

    @property
    def header(self) -> str:
        pair = f"{self.email}:{self.token}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    @property
    def alone(self) -> "BasicAuth":
        return replace(self, second=None)

    @property
    def successor(self) -> "BasicAuth | None":
        return None if self.second is None else BasicAuth(self.email, self.second)


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A Data Center personal access token, or a Cloud token behind the gateway."""

    token: str = field(repr=False)
    second: str | None = field(default=None, repr=False)

    @property
    def header(self) -> str:
        return f"Bearer {self.token}"

    @property
    def alone(self) -> "BearerAuth":
        return replace(self, second=None)

    @property
    def successor(self) -> "BearerAuth | None":
        return None if self.second is None else BearerAuth(self.second)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth 2.0 client credentials of a service account: they get access tokens of an hour."""

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str = ATLASSIAN_TOKENS
    scope: str | None = None

    @property
    def alone(self) -> "ClientCredentials":
        return self

    @property
    def successor(self) -> None:
        return None


Auth = BasicAuth | BearerAuth | ClientCredentials


@dataclass(frozen=True, slots=True)
class OwnProxy:
    """The site's way out, in place of the installation's proxy. None: directly."""

    url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SiteAccess:
    """One site. `identity` and `account_id` are pinned at the first successful check;
    None means not pinned yet, and then nothing can be assured (`JiraClient.assure`).

    `rate`: the limit in calls per second, if the administrator set one.

    `locked`: Jira asks for a CAPTCHA, so no call may leave before a person solves it.

    `authorities`: certificates in PEM that this site's may be signed by, beside the public ones.

    A changed `version` means that the row changed: build a new client and close this one.
    """

    id: int
    name: str
    base_url: str
    deployment: Deployment
    auth: Auth
    identity: str | None = None
    account_id: AccountId | None = None
    version: int = 0
    rate: float | None = None
    locked: bool = False
    account_since: datetime | None = None
    former_accounts: tuple[Tenure, ...] = ()
    authorities: str | None = None
    proxy: OwnProxy | None = None

    @property
    def own(self) -> OwnAccounts:
        """Our accounts on this site, each with its time. Changelog entries of these are ours."""
        if self.account_id is None:
            return OwnAccounts(self.former_accounts)
        now = Tenure(self.account_id, self.account_since)
        return OwnAccounts((*self.former_accounts, now))
