"""What a client needs to know about one site. Built by `wiring` from the stored row."""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.core.links import AccountId
from app.core.own_accounts import OwnAccounts, Tenure

Deployment = Literal["cloud", "datacenter"]


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """E-mail address and API token, for a Cloud site under its own address."""

    email: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def header(self) -> str:
        pair = f"{self.email}:{self.token}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A Data Center personal access token, or a Cloud OAuth 2.0 token behind the gateway."""

    token: str = field(repr=False)

    @property
    def header(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class SiteAccess:
    """One site. `identity` and `account_id` are pinned at the first successful check;
    None means not pinned yet, and then nothing can be assured (`JiraClient.assure`).

    `rate`: the limit in calls per second, if the administrator set one.

    `locked`: Jira asks for a CAPTCHA, so no call may leave before a person solves it.

    A changed `version` means that the row changed: build a new client and close this one.
    """

    id: int
    name: str
    base_url: str
    deployment: Deployment
    auth: BasicAuth | BearerAuth
    identity: str | None = None
    account_id: AccountId | None = None
    version: int = 0
    rate: float | None = None
    locked: bool = False
    account_since: datetime | None = None
    former_accounts: tuple[Tenure, ...] = ()

    @property
    def own(self) -> OwnAccounts:
        """Our accounts on this site, each with its time. Changelog entries of these are ours."""
        if self.account_id is None:
            return OwnAccounts(self.former_accounts)
        now = Tenure(self.account_id, self.account_since)
        return OwnAccounts((*self.former_accounts, now))
