"""Registering, changing and checking sites. The Jira behind a site is pinned once it answered."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.config import Problem
from app.core.connection.projects import Pin
from app.core.errors import PermanentError, TwinlinkError
from app.jira.client import JiraClient
from app.jira.http.access import ClientCredentials, OwnProxy, SiteAccess
from app.jira.http.network import readable_authorities
from app.jira.projects import Project
from app.store.config import project_pins, sealed_secrets, site_types, sites
from app.store.config.sites import Pins, SiteRow, SiteValues
from app.store.config.vault import Vault
from app.store.pool import Connection, Database
from app.store.queue import stray_deliveries
from app.sync.runtime.refusals import Refused, invalid, site_failed
from app.sync.sites import projects
from app.sync.sites.access import Auth, Opened, access, opened
from app.sync.sites.address import url_faults
from app.sync.sites.check import (
    Finding,
    Probe,
    delivery_findings,
    pin_findings,
    probe,
    standing_findings,
)
from app.sync.sites.projects import Need
from app.sync.sites.rotation import moved
from app.sync.sites.spec import (
    SiteSpec,
    Wish,
    elsewhere,
    merged,
    merged_proxy,
    secret_problems,
    token_problems,
)

OpenClient = Callable[[SiteAccess], JiraClient]


@dataclass(frozen=True, slots=True)
class Stored:
    site: SiteRow
    created: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """`ok`: no finding is an error."""

    site: SiteRow
    seen: Probe
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class SiteAdmin:
    """The use cases. Every refusal is `Refused` and leaves everything as it was."""

    database: Database
    vault: Vault
    open_client: OpenClient
    allow_private: bool

    async def put(self, name: str, spec: SiteSpec, known: SiteRow | None, now: datetime) -> Stored:
        """Store *spec* over *known*, as the caller read it. A site that is down is stored too;
        one behind which another Jira answers than the pinned one is not."""
        wish = self._wish(spec, known)
        if known is not None and not wish.changed:
            return Stored(known, created=False, findings=())
        seen = await self._probe(wish.access(name)) if wish.moved else None
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            await _refuse_foreign(conn, name, known, seen)
            current = await sites.lock(conn, name)
            await _refuse_while_writing(conn, spec, known)
            pins = wish.pins(seen)
            values = wish.values(self.vault, name, pins, now)
            _refuse_changed(current, known)
            row = await _write(conn, name, values, current, pins=pins, now=now)
            if row.locked_since is not None and not wish.locked:
                await sites.unlock(conn, row.id)
                row = await sites.by_name(conn, name) or row
            if seen is not None and seen.link_types:
                await site_types.replace(conn, row.id, seen.link_types)
        standing = _standing(row, now)
        return Stored(row, known is None, (*(seen.findings if seen else ()), *standing))

    async def check(self, site: SiteRow, now: datetime) -> Checked:
        """Ask the site; pin what was not pinned yet, refresh its link types, and see what the
        account may do in the projects of the connections."""
        to = _accessible(site, self.vault)
        async with self._client(to) as client:
            seen = await probe(client)
            pinned = list(pin_findings(site, seen))
            findings = [*seen.findings, *pinned]
            if seen.complete and not pinned:
                findings += await self._pin(site, seen, now)
                looked = await projects.look(client, await self._needs(site))
                findings += looked.findings
                await self._follow(site, looked.pins, now)
        async with self.database.connection() as conn:
            findings += delivery_findings(
                await stray_deliveries.fresh(conn, now=now, site=site.name)
            )
        findings += _standing(site, now)
        return Checked(site, seen, tuple(findings))

    async def projects(self, site: SiteRow) -> list[Project]:
        """Those that Jira shows our account. Raises `TransientError` where it does not answer."""
        try:
            async with self._client(access(site, self.vault)) as client:
                return await client.projects()
        except TwinlinkError as error:
            raise site_failed(error, site=site.name) from error

    async def unlock(self, site: SiteRow) -> SiteRow:
        """A person says that calls may go again: has solved the CAPTCHA, so to speak."""
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            await sites.unlock(conn, site.id)
            return await sites.by_id(conn, site.id) or site

    async def delete(self, site: SiteRow, now: datetime) -> None:
        """Its name is remembered: its Jira may go on delivering."""
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            users = await sites.users(conn, site.id)
            if users.living:
                raise Refused("site_in_use", f"joined by {', '.join(users.living[:10])}")
            if users.deleted:
                names = ", ".join(users.deleted[:10])
                raise Refused("site_in_use", f"the audit of {names}, since deleted, names it")
            await sites.delete(conn, site.id)
            await stray_deliveries.deleted(conn, site.name, now=now)

    async def _pin(self, site: SiteRow, seen: Probe, now: datetime) -> list[Finding]:
        async with self.database.transaction() as conn:
            await sites.lock_admin(conn)
            current = await sites.lock(conn, site.name)
            if current is None or current.version != site.version:
                raise Refused("concurrent_change")
            twin = await sites.with_identity(conn, seen.identity or "", other_than=site.name)
            if twin is not None:
                return [Finding("identity_taken", "error", f"{twin} is the same Jira")]
            await self._rebind(conn, current, seen)
            await sites.record_check(conn, site.id, Pins(seen.identity, seen.account_id), now)
            if seen.link_types:
                await site_types.replace(conn, site.id, seen.link_types)
        return []

    async def _rebind(self, conn: Connection, site: SiteRow, seen: Probe) -> None:
        """Seal its secrets for the Jira that is pinned now. What cannot be read stays as it is."""
        if site.identity is None:
            known = await sealed_secrets.lock(conn, site.id)
            home = replace(site.home, identity=seen.identity)
            if known is not None and (anew := moved(known, home, self.vault)):
                await sealed_secrets.store(conn, site.id, anew)

    async def _needs(self, site: SiteRow) -> list[Need]:
        """Projects of the living connections that join the site."""
        async with self.database.connection() as conn:
            return projects.joined(
                need
                for row, side, pins in await projects.joining(conn, site)
                for need in projects.needs(row.config, side, pins)
            )

    async def _follow(self, site: SiteRow, found: Sequence[Pin], now: datetime) -> None:
        """Pin the projects for each connection that names them, and record their keys of now."""
        async with self.database.transaction() as conn:
            for row, side, pins in await projects.joining(conn, site):
                known = {pin.configured: pin.id for pin in pins}
                mine = [
                    pin
                    for pin in found
                    if pin.configured in row.config.end(side).projects
                    and known.get(pin.configured, pin.id) == pin.id
                ]
                await project_pins.put(conn, row.id, side, mine, now)

    async def _probe(self, to: SiteAccess) -> Probe:
        async with self._client(to) as client:
            return await probe(client)

    @asynccontextmanager
    async def _client(self, to: SiteAccess) -> AsyncIterator[JiraClient]:
        """For a look from outside, so without pins."""
        client = self.open_client(replace(to, identity=None, account_id=None))
        try:
            yield client
        finally:
            await client.aclose()

    def _wish(self, spec: SiteSpec, known: SiteRow | None) -> Wish:
        former = Opened() if known is None else opened(known, self.vault)
        auth = merged(spec.auth, former.auth)
        secret = spec.webhook_secret or former.secret
        proxy = merged_proxy(spec.proxy, former.proxy)
        problems = [
            *self._address_problems(spec, auth, proxy),
            *secret_problems(spec, known, former, secret),
            *token_problems(spec, auth),
        ]
        if auth is None:
            problems.append(Problem("/auth", "the credentials are not complete"))
        elif (
            known is not None
            and elsewhere(spec, known, auth, former)
            and not (spec.auth and spec.auth.secret)
        ):
            # Else an administrator could have the stored credentials sent to somebody else.
            name = "client_secret" if isinstance(auth, ClientCredentials) else "token"
            problems.append(Problem(f"/auth/{name}", "is required when they would go elsewhere"))
        if former.failure is not None and _relies_on_lost(spec, auth, secret, former):
            # What was left out is stored, and cannot be read: none of it is the caller's mistake.
            raise Refused(former.failure.code, former.failure.detail)
        if problems or auth is None or not secret:
            raise invalid(*problems)
        return Wish(spec, auth, secret, former, known, proxy)

    def _address_problems(
        self, spec: SiteSpec, auth: Auth | None, proxy: OwnProxy | None
    ) -> Iterable[Problem]:
        """Every address that calls would go to, and the authorities that they would believe."""
        asked = [("/base_url", spec.base_url)]
        if isinstance(auth, ClientCredentials):
            asked.append(("/auth/token_url", auth.token_url))
        if proxy is not None and proxy.url is not None:
            asked.append(("/proxy/url", proxy.url))
        for at, url in asked:
            # A proxy may be spoken to in the clear, and its address may hold a password.
            but = frozenset({"scheme", "userinfo"} if at == "/proxy/url" else ())
            for fault in url_faults(url, allow_private=self.allow_private, but=but):
                yield Problem(at, fault)
        if spec.proxy.kind == "own" and (proxy is None or proxy.url is None):
            yield Problem("/proxy/url", "is required")
        if spec.ca_certificates and not readable_authorities(spec.ca_certificates):
            yield Problem("/ca_certificates", "holds no certificates in PEM")


def _accessible(site: SiteRow, vault: Vault) -> SiteAccess:
    try:
        return access(site, vault)
    except PermanentError as error:
        raise Refused(error.code, error.detail) from error


def _relies_on_lost(spec: SiteSpec, auth: Auth | None, secret: str | None, former: Opened) -> bool:
    """Whether the caller left out what is stored and cannot be read."""
    if former.lost_proxy and spec.proxy.kind == "own" and spec.proxy.url is None:
        return True
    lost = former.auth is None or former.secret is None
    return lost and not (auth and secret)


def _standing(site: SiteRow, now: datetime) -> Iterable[Finding]:
    return standing_findings(
        account_dedicated=site.account_dedicated,
        circuit_open_since=site.circuit_open_since,
        token_expires_at=site.token_expires_at,
        token_replaced_at=site.token_replaced_at,
        now=now,
    )


async def _refuse_foreign(
    conn: Connection, name: str, known: SiteRow | None, seen: Probe | None
) -> None:
    """One Jira has one name here: the ledger identifies physical links by site."""
    if seen is None or seen.identity is None:
        return
    if known is not None and known.identity not in {None, seen.identity}:
        raise Refused("site_identity")
    same = await sites.with_identity(conn, seen.identity, other_than=name)
    if same is not None:
        raise Refused("site_identity", f"the site {same} is the same Jira")


async def _refuse_while_writing(conn: Connection, spec: SiteSpec, known: SiteRow | None) -> None:
    """What proves authorship cannot be taken from under a connection that relies on it. Under the
    site's lock: a mode that is raised meanwhile waits for it, and finds what is stored here."""
    if known is None or spec.account_dedicated:
        return
    writers = await sites.writers(conn, known.id)
    if writers:
        detail = f"put into shadow first: {', '.join(writers[:10])}"
        raise Refused("account_not_dedicated", detail)


def _refuse_changed(current: SiteRow | None, known: SiteRow | None) -> None:
    if (current and current.version) != (known and known.version):
        raise Refused("concurrent_change")


async def _write(
    conn: Connection,
    name: str,
    values: SiteValues,
    current: SiteRow | None,
    *,
    pins: Pins,
    now: datetime,
) -> SiteRow:
    if current is None:
        await sites.insert(conn, name, values, pins, now)
        await stray_deliveries.forget(conn, name)
    else:
        await sites.update(conn, current.id, values, pins, now)
    row = await sites.by_name(conn, name)
    if row is None:
        raise Refused("concurrent_change")
    return row
