"""From a stored site to what its client needs, and back: the only place that opens credentials."""

import json
from typing import Literal

from app.core.errors import PermanentError
from app.jira.http.access import BasicAuth, BearerAuth, SiteAccess
from app.store.config.sites import SiteRow
from app.store.config.vault import Vault

Auth = BasicAuth | BearerAuth


def kind_of(auth: Auth) -> Literal["basic", "bearer"]:
    return "basic" if isinstance(auth, BasicAuth) else "bearer"


def seal_auth(auth: Auth, vault: Vault) -> bytes:
    plain = {"token": auth.token}
    if isinstance(auth, BasicAuth):
        plain["email"] = auth.email
    return vault.seal(json.dumps(plain))


def open_auth(row: SiteRow, vault: Vault) -> Auth:
    """Raises `PermanentError` where no key of this process opens it."""
    plain = json.loads(vault.open(row.auth_sealed))
    try:
        if row.auth_kind == "basic":
            return BasicAuth(plain["email"], plain["token"])
        return BearerAuth(plain["token"])
    except KeyError as error:
        raise PermanentError("credentials_unreadable", facts={"site": row.name}) from error


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
    )
