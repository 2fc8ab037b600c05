"""From a stored site to what its client needs, and back: the only place that opens credentials."""

import json
from dataclasses import dataclass, field
from typing import assert_never

from app.core.errors import PermanentError
from app.jira.http.access import (
    Auth,
    BasicAuth,
    BearerAuth,
    ClientCredentials,
    OwnProxy,
    SiteAccess,
)
from app.store.config.sites import AuthKind, SiteRow
from app.store.config.vault import Vault
from app.store.secret_homes import AUTH, PREVIOUS, PROXY, WEBHOOK, Home

__all__ = ["Auth", "Opened", "access", "kind_of", "open_auth", "open_proxy", "opened", "seal_auth"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The stored secrets of a site; None for what is not there or cannot be read. `proxy` is None
    for the installation's too. `failure` says why the first of them cannot be read, `lost_proxy`
    that the proxy's address is among them."""

    auth: Auth | None = None
    secret: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)
    proxy: OwnProxy | None = None
    failure: PermanentError | None = None
    lost_proxy: bool = False


def kind_of(auth: Auth) -> AuthKind:
    match auth:
        case BasicAuth():
            return "basic"
        case BearerAuth():
            return "bearer"
        case ClientCredentials():
            return "oauth"
    assert_never(auth)


def seal_auth(auth: Auth, vault: Vault, home: Home) -> bytes:
    return vault.seal(json.dumps(_plain(auth)), home, AUTH)


def _plain(auth: Auth) -> dict[str, str | None]:
    match auth:
        case BasicAuth():
            return {"email": auth.email, "token": auth.token, "second": auth.second}
        case BearerAuth():
            return {"token": auth.token, "second": auth.second}
        case ClientCredentials():
            return {
                "client_id": auth.client_id,
                "client_secret": auth.client_secret,
                "token_url": auth.token_url,
                "scope": auth.scope,
            }
    assert_never(auth)


def open_auth(row: SiteRow, vault: Vault) -> Auth:
    """Raises `PermanentError` where no key of this process opens it, or it belongs elsewhere."""
    plain = json.loads(vault.open(row.auth_sealed, row.home, AUTH))
    try:
        if row.auth_kind == "basic":
            return BasicAuth(plain["email"], plain["token"], plain.get("second"))
        if row.auth_kind == "bearer":
            return BearerAuth(plain["token"], plain.get("second"))
        return ClientCredentials(
            plain["client_id"], plain["client_secret"], plain["token_url"], plain["scope"]
        )
    except KeyError as error:
        raise PermanentError("credentials_unreadable", facts={"site": row.name}) from error


def open_proxy(row: SiteRow, vault: Vault) -> OwnProxy | None:
    """None: the installation's."""
    if row.proxy_kind == "installation":
        return None
    sealed = row.proxy_sealed
    return OwnProxy(None if sealed is None else vault.open(sealed, row.home, PROXY))


def opened(row: SiteRow, vault: Vault) -> Opened:
    """Never fails: who lost the key has to be able to store new secrets."""
    failures: list[PermanentError] = []

    def text(sealed: bytes, column: str) -> str | None:
        try:
            return vault.open(sealed, row.home, column)
        except PermanentError as error:
            failures.append(error)
            return None

    auth: Auth | None = None
    proxy: OwnProxy | None = OwnProxy(None)
    lost = False
    try:
        auth = open_auth(row, vault)
    except PermanentError as error:
        failures.append(error)
    secret = text(row.webhook_secret_sealed, WEBHOOK)
    former = row.previous_secret_sealed
    previous = None if former is None else text(former, PREVIOUS)
    try:
        proxy = open_proxy(row, vault)
    except PermanentError as error:
        failures.append(error)
        lost = True
    return Opened(auth, secret, previous, proxy, next(iter(failures), None), lost)


def access(row: SiteRow, vault: Vault) -> SiteAccess:
    return SiteAccess(
        id=row.id,
        name=row.name,
        base_url=row.base_url,
        deployment=row.deployment,
        auth=open_auth(row, vault),
        identity=row.identity,
        account_id=row.account_id,
        account_since=row.account_since,
        former_accounts=row.former_accounts,
        version=row.version,
        rate=row.requests_per_second,
        locked=row.locked_since is not None,
        authorities=row.ca_certificates,
        proxy=open_proxy(row, vault),
    )
