"""The second token of a site takes over once Jira refuses the first.

While a person exchanges one token for the other both are stored, so that no call is lost: the
first is used until Jira refuses it. Then both are asked who they are. Only if the first is refused,
and the second is the pinned account on the pinned Jira, does the second become the only one, for
all processes; the incident `token_replaced` keeps when and why.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from app.core.errors import PermanentError, TransientError, TwinlinkError
from app.jira.client import JiraClient
from app.jira.http.access import Auth, SiteAccess
from app.jira.http.sign_in import REFUSED
from app.store.config import sites
from app.store.config.sites import SiteRow
from app.store.config.vault import Vault
from app.store.pool import Database
from app.sync.sites.access import access, open_auth, seal_auth

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """*open_client* makes a client without pins of its own; the row's are compared here."""

    database: Database
    vault: Vault
    open_client: Callable[[SiteAccess], JiraClient]
    clock: Callable[[], datetime]

    async def __call__(self, site: SiteAccess) -> None:
        """A site of which *site* is an old version has been seen to already."""
        async with self.database.connection() as conn:
            row = await sites.by_id(conn, site.id)
        if row is None or row.version != site.version or row.locked_since is not None:
            return
        auth = open_auth(row, self.vault)
        second = auth.successor
        if second is None or not await self._refused(row, auth.alone):
            return
        if not await self._is_ours(row, second):
            return
        sealed = seal_auth(second, self.vault, row.home)
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            done = await sites.replace_token(conn, row.id, row.version, sealed, self.clock())
        if done:
            _LOG.warning("token_replaced", site=row.name)

    async def _refused(self, row: SiteRow, auth: Auth) -> bool:
        """Whether Jira answers, and refuses these credentials."""
        try:
            await self._account(row, auth)
        except TwinlinkError as error:
            return error.code in REFUSED
        return False

    async def _is_ours(self, row: SiteRow, auth: Auth) -> bool:
        try:
            return await self._account(row, auth) == (row.identity, row.account_id)
        except (TransientError, PermanentError):
            return False

    async def _account(self, row: SiteRow, auth: Auth) -> tuple[str, str]:
        plain = replace(access(row, self.vault), auth=auth, identity=None, account_id=None)
        client = self.open_client(plain)
        try:
            account = await client.myself()
            return await client.identity(), account
        finally:
            await client.aclose()
