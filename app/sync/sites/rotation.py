"""Re-encrypting every secret with the newest key, so that the former one can be dropped."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.errors import PermanentError
from app.store.config import sealed_secrets
from app.store.config.sealed_secrets import SealedSite
from app.store.config.vault import Vault, is_bound
from app.store.pool import Connection, Database
from app.store.secret_homes import WEBHOOK, Home, secret_of
from app.sync.sites.binding import bind
from app.sync.sites.spec import is_short


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A secret that no key of the list opens. It stays as it is: its key may be found again."""

    site: str
    secret: str


@dataclass(frozen=True, slots=True)
class Unusable(Unreadable):
    """A secret that opens nowhere: `secret_misplaced` or `secret_unbound`. It stays as it is, and
    has to be stored again."""

    code: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """`rotated` were under a former key, `current` under the newest already; `bound` of both were
    not bound to their places before; `forgotten` were replaced webhook secrets whose day was
    over."""

    rotated: int
    current: int
    bound: int
    forgotten: int
    unreadable: tuple[Unreadable, ...]
    unusable: tuple[Unusable, ...]

    @property
    def complete(self) -> bool:
        """The newest key alone opens everything that any key opens."""
        return not self.unreadable


@dataclass(frozen=True, slots=True)
class Survey:
    """`unbound` are not bound to their places yet; `short` are the sites whose webhook secret is
    from before a least length was asked for."""

    current: int
    former: int
    unbound: int
    unreadable: tuple[Unreadable, ...]
    unusable: tuple[Unusable, ...]
    short: tuple[str, ...] = ()


@dataclass(slots=True)
class _Sorted:
    """The secrets of a site by what has to become of them."""

    current: int = 0
    former: dict[str, str] = field(default_factory=dict, repr=False)
    unreadable: list[Unreadable] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)


async def rotate(database: Database, vault: Vault, clock: Callable[[], datetime]) -> Rotation:
    """A transaction per site: what an interrupted run did is done, and the next one goes on
    from there. Running it again changes nothing."""
    async with database.transaction() as conn:
        forgotten = await sealed_secrets.forget_replaced(conn, clock())
        ids = await sealed_secrets.site_ids(conn)
    bound = (await bind(database, vault, clock)).bound
    rotated, current = 0, 0
    unreadable, unusable = list[Unreadable](), list[Unusable]()
    for site_id in ids:
        async with database.transaction() as conn:
            site = await sealed_secrets.lock(conn, site_id)
            if site is None:
                continue
            found = _sorted(site, vault)
            anew = {name: vault.seal(text, site.home, name) for name, text in found.former.items()}
            if anew:
                await sealed_secrets.store(conn, site_id, anew)
        rotated += len(anew)
        current += found.current
        unreadable += found.unreadable
        unusable += found.unusable
    return Rotation(rotated, current, bound, forgotten, tuple(unreadable), tuple(unusable))


async def survey(conn: Connection, vault: Vault) -> Survey:
    """The same count, and nothing is changed. What the next start of a process binds counts as
    unbound, not as unusable."""
    ended = await _binding_ended(conn)
    current, former, unbound, short = 0, 0, 0, list[str]()
    unreadable, unusable = list[Unreadable](), list[Unusable]()
    for site in await sealed_secrets.every(conn):
        found = _sorted(site, vault)
        lost = _lost(found, ended=ended)
        short += [site.home.site] if _has_short_secret(site, vault) else []
        current += found.current
        former += len(found.former)
        unbound += len(found.unusable) - len(lost)
        unreadable += found.unreadable
        unusable += lost
    return Survey(current, former, unbound, tuple(unreadable), tuple(unusable), tuple(short))


async def unusable(conn: Connection, vault: Vault) -> dict[int, list[Unusable]]:
    """By the id of its site, where there are any."""
    ended = await _binding_ended(conn)
    every = await sealed_secrets.every(conn)
    found = {site.id: _lost(_sorted(site, vault), ended=ended) for site in every}
    return {site_id: lost for site_id, lost in found.items() if lost}


async def hindering(conn: Connection, vault: Vault) -> dict[int, list[Unreadable]]:
    """By the id of its site: secrets that keep the binding of all from its end, since no key of
    this process opens them. None once it has ended."""
    if not await sealed_secrets.binding_is_known(conn) or await sealed_secrets.are_bound(conn):
        return {}
    found = dict[int, list[Unreadable]]()
    for site in await sealed_secrets.every(conn):
        unbound = {name: it for name, it in site.sealed.items() if not is_bound(it)}
        if lost := _sorted(replace(site, sealed=unbound), vault).unreadable:
            found[site.id] = lost
    return found


async def _binding_ended(conn: Connection) -> bool:
    return await sealed_secrets.binding_is_known(conn) and await sealed_secrets.are_bound(conn)


def _lost(found: _Sorted, *, ended: bool) -> list[Unusable]:
    """What opens nowhere; not what the next start of a process binds."""
    return [it for it in found.unusable if ended or it.code != "secret_unbound"]


def moved(site: SealedSite, home: Home, vault: Vault) -> dict[str, bytes]:
    """A site's secrets, sealed for where it is from now on. What cannot be read is left out."""
    anew = dict[str, bytes]()
    for column, sealed in site.sealed.items():
        with suppress(PermanentError):
            anew[column] = vault.seal(vault.open(sealed, site.home, column), home, column)
    return anew


def _has_short_secret(site: SealedSite, vault: Vault) -> bool:
    """False also where nothing opens it: that is said apart."""
    with suppress(PermanentError):
        return is_short(vault.open(site.sealed[WEBHOOK], site.home, WEBHOOK))
    return False


def _sorted(site: SealedSite, vault: Vault) -> _Sorted:
    found = _Sorted()
    for column, sealed in site.sealed.items():
        try:
            text = vault.open(sealed, site.home, column)
        except PermanentError as error:
            if error.code == "secret_key_wrong":
                found.unreadable.append(Unreadable(site.home.site, secret_of(column)))
            else:
                found.unusable.append(Unusable(site.home.site, secret_of(column), error.code))
            continue
        if vault.is_current(sealed):
            found.current += 1
        else:
            found.former[column] = text
    return found
