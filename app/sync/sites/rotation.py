"""Re-encrypting every secret with the newest key, so that the former one can be dropped."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import PermanentError
from app.store.config import sealed_secrets
from app.store.config.sealed_secrets import SealedSite
from app.store.config.vault import Vault
from app.store.pool import Connection, Database
from app.sync.sites.spec import is_short


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A secret that no key of the list opens. It stays as it is: its key may be found again."""

    site: str
    secret: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """`rotated` were under a former key, `current` under the newest already, `forgotten`
    were replaced webhook secrets whose day was over."""

    rotated: int
    current: int
    forgotten: int
    unreadable: tuple[Unreadable, ...]

    @property
    def complete(self) -> bool:
        """The newest key alone opens everything."""
        return not self.unreadable


@dataclass(frozen=True, slots=True)
class Survey:
    """`short` are the sites whose webhook secret is from before a least length was asked for."""

    current: int
    former: int
    unreadable: tuple[Unreadable, ...]
    short: tuple[str, ...] = ()


async def rotate(database: Database, vault: Vault, clock: Callable[[], datetime]) -> Rotation:
    """A transaction per site: what an interrupted run did is done, and the next one goes on
    from there. Running it again changes nothing."""
    async with database.transaction() as conn:
        forgotten = await sealed_secrets.forget_replaced(conn, clock())
        ids = await sealed_secrets.site_ids(conn)
    rotated, current, unreadable = 0, 0, list[Unreadable]()
    for site_id in ids:
        async with database.transaction() as conn:
            site = await sealed_secrets.lock(conn, site_id)
            if site is None:
                continue
            resealed, lost = _resealed(site, vault)
            if resealed:
                await sealed_secrets.store(conn, site_id, resealed)
        rotated += len(resealed)
        current += len(site.sealed) - len(resealed) - len(lost)
        unreadable += lost
    return Rotation(rotated, current, forgotten, tuple(unreadable))


async def survey(conn: Connection, vault: Vault) -> Survey:
    """The same count, and nothing is changed."""
    current, former, unreadable, short = 0, 0, list[Unreadable](), list[str]()
    for site in await sealed_secrets.every(conn):
        resealed, lost = _resealed(site, vault)
        short += [site.name] if _has_short_secret(site, vault) else []
        former += len(resealed)
        current += len(site.sealed) - len(resealed) - len(lost)
        unreadable += lost
    return Survey(current, former, tuple(unreadable), tuple(short))


def _has_short_secret(site: SealedSite, vault: Vault) -> bool:
    """False also where no key opens it: that is said apart."""
    with suppress(PermanentError):
        return is_short(vault.open(site.sealed[sealed_secrets.WEBHOOK]))
    return False


def _resealed(site: SealedSite, vault: Vault) -> tuple[dict[str, bytes], list[Unreadable]]:
    """What has to be stored instead, and what no key opens."""
    resealed, lost = dict[str, bytes](), list[Unreadable]()
    for column, sealed in site.sealed.items():
        if vault.is_current(sealed):
            continue
        try:
            resealed[column] = vault.seal(vault.open(sealed))
        except PermanentError:
            lost.append(Unreadable(site.name, column.removesuffix("_sealed")))
    return resealed, lost
