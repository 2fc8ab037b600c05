"""What `twinlink doctor` checks without the API: settings, database, roles, clocks, Redis."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.cli.output.database_errors import said
from app.core.incidents import IncidentKind, traits_of
from app.process.loopback import is_loopback
from app.settings import Settings
from app.store import clock
from app.store.access import tokens
from app.store.alerts import absent_workers
from app.store.alerts.incidents import any_open
from app.store.config.vault import Vault
from app.store.migrations.head import latest
from app.store.pool import Connection, place
from app.store.schema import REMEDIES, Fit, fit, revision, server_version
from app.store.upkeep import workers
from app.store.upkeep.installation import named as id_of
from app.store.upkeep.installation import state
from app.store.writes import audit
from app.sync.sites.rotation import Survey, survey
from app.sync.sites.spec import SHORTEST_SECRET

Status = Literal["ok", "warn", "fail"]

_SKEW_SECONDS = 2.0
"""Leases and windows are longer than this, so a smaller skew does no harm."""
_CONNECT_SECONDS = 10
_WORST_MINUTE = 60.0
_DECIDED_BY_PEOPLE = (
    IncidentKind.DATABASE_WENT_BACK,
    IncidentKind.SITE_WENT_BACK,
    IncidentKind.INSTALLATION_MISMATCH,
    IncidentKind.SITE_IDENTITY_CHANGED,
)


@dataclass(frozen=True, slots=True)
class Check:
    """`hint` says what to do; it is empty if there is nothing to do. `command` is to type next,
    where one command does it."""

    name: str
    status: Status
    detail: str
    hint: str = ""
    command: str = ""


async def below(settings: Settings) -> list[Check]:
    """All checks. Each comes after those that it depends on."""
    return [
        *_settings(settings),
        *[check async for check in _database(settings)],
        await _redis(settings),
    ]


def _settings(settings: Settings) -> Iterator[Check]:
    """Settings that are valid but dangerous. `load_settings` has already refused invalid ones."""
    if settings.secret_key:
        yield Check("secret key", "ok", f"{len(settings.secret_key)} set")
    else:
        hint = "`twinlink up` makes one; where it does not run, set TWINLINK_SECRET_KEY"
        yield Check("secret key", "fail", "none", hint)
    if settings.read_only:
        yield Check("writes", "warn", "refused", "TWINLINK_READ_ONLY is set")
    if settings.allow_private_sites:
        hint = "unset TWINLINK_ALLOW_PRIVATE_SITES unless every such address is meant"
        yield Check("addresses", "warn", "sites may be http or private", hint)


async def _database(settings: Settings) -> AsyncIterator[Check]:
    if settings.database_url is None:
        hint = "set TWINLINK_DATABASE_URL, or start `twinlink up`"
        detail = "not configured, and none runs on this machine"
        yield Check("database", "fail", detail, hint, "twinlink up")
        return
    url = settings.database_url.get_secret_value()
    try:
        conn = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = said(type(error).__name__, place(url))
        yield Check("database", "fail", why.what, why.remedy)
        return
    try:
        version = await server_version(conn)
        yield Check("database", "ok", f"PostgreSQL {version}")
        yield await _clock(conn)
        schema = await _schema(conn)
        yield schema
        if schema.status == "ok":
            yield await _rights(conn)
            yield await _installation(conn, settings.installation)
            yield await _decisions(conn)
            yield await _workers(conn)
            if settings.metrics_token is None and _faces_others(settings):
                async for check in _metrics(conn):
                    yield check
            if settings.secret_key:
                for check in await _sealed(conn, settings):
                    yield check
    finally:
        await conn.close()


async def _redis(settings: Settings) -> Check:
    """At worst a warning: without Redis everything works, but later."""
    if settings.redis_url is None:
        hint = "set TWINLINK_REDIS_URL; until then changes wait for the sweep"
        return Check("redis", "warn", "not configured, and none runs on this machine", hint)
    try:
        async with Redis.from_url(
            settings.redis_url.get_secret_value(), socket_connect_timeout=_CONNECT_SECONDS
        ) as client:
            about = await client.info()
    except (RedisError, OSError) as error:
        return Check("redis", "warn", type(error).__name__, "changes wait for the sweep")
    version = about.get("valkey_version") or about.get("redis_version")
    policy = about.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        hint = "set maxmemory-policy noeviction: a full Redis must refuse writes, not drop a pause"
        return Check("redis", "warn", f"{version}, {policy}", hint)
    return Check("redis", "ok", f"{version}, noeviction")


async def _clock(conn: Connection) -> Check:
    """Skew is the part of the difference that the round trip cannot explain."""
    before = datetime.now(UTC)
    there = await clock.read(conn)
    after = datetime.now(UTC)
    skew = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if skew <= _SKEW_SECONDS:
        return Check("clocks", "ok", f"{skew:.1f} s apart")
    status: Status = "fail" if skew > _WORST_MINUTE else "warn"
    return Check("clocks", status, f"{skew:.1f} s apart", "let NTP set both machines' clocks")


async def _schema(conn: Connection) -> Check:
    try:
        found = await revision(conn)
    except asyncpg.InsufficientPrivilegeError:
        return Check("schema", "fail", "cannot be read by this role", "run `twinlink migrate`")
    there = fit(found, latest())
    if there is Fit.SAME:
        return Check("schema", "ok", latest())
    detail = f"{found or 'empty'}, and this version expects {latest()}"
    command = "" if there is Fit.NEWER else "twinlink migrate"
    return Check("schema", "fail", detail, REMEDIES[there], command)


async def _rights(conn: Connection) -> Check:
    may = await audit.rights(conn)
    if not may:
        return Check("roles", "ok", "the service cannot change its audit")
    rights = ", ".join(may)
    hint = "run as a role that does not own the schema; see TWINLINK_MIGRATE_DATABASE_URL"
    return Check("roles", "fail", f"the service's role has {rights} on the audit", hint)


async def _decisions(conn: Connection) -> Check:
    """Incidents and pauses that last until a person ends them."""
    kinds = [kind for kind in _DECIDED_BY_PEOPLE if await any_open(conn, kind)]
    if kinds:
        hint = "twinlink incident list; then resolve it, and twinlink resume --all if it is paused"
        return Check(
            "decisions",
            "fail",
            ", ".join(traits_of(kind).title for kind in kinds),
            hint,
            "twinlink incident list",
        )
    pause = await state(conn)
    if pause.paused_at is not None:
        detail = f"everything is paused, by {pause.paused_by}"
        return Check("decisions", "warn", detail, "twinlink resume --all", "twinlink resume --all")
    return Check("decisions", "ok", "nothing waits for a person")


async def _workers(conn: Connection) -> Check:
    now = await clock.read(conn)
    running = [it for it in await workers.page(conn, after=0, limit=1000) if it.alive(now)]
    if running:
        engines = ", ".join(sorted({it.engine for it in running}))
        return Check("workers", "ok", f"{len(running)} running, {engines}")
    late = await absent_workers.late(conn, now)
    if late is None:
        return Check(
            "workers", "warn", "none runs", "start one: twinlink worker", "twinlink worker"
        )
    since = late.since.isoformat(timespec="seconds")
    detail = f"none runs, and work is due since {since}"
    return Check("workers", "fail", detail, "start one: twinlink worker", "twinlink worker")


def _faces_others(settings: Settings) -> bool:
    """Whether the API, or a proxy before it, answers beyond this machine."""
    public = urlsplit(settings.public_url or "").hostname
    return not all(is_loopback(host) for host in (settings.host, public) if host)


async def _metrics(conn: Connection) -> AsyncIterator[Check]:
    """Where no token is confined, every reader of the metrics may see all that they name."""
    if await tokens.any_confined(conn, await clock.read(conn)):
        detail = "open beyond this machine; they name the sites and connections of all tenants"
        hint = "set TWINLINK_METRICS_TOKEN for the API and the workers, and give it to the scraper"
        yield Check("metrics", "warn", detail, hint)


async def _sealed(conn: Connection, settings: Settings) -> list[Check]:
    vault = Vault([key.get_secret_value() for key in settings.secret_key])
    found = await survey(conn, vault)
    return [_keys(found), *_short(found)]


def _keys(found: Survey) -> Check:
    """A key may be dropped only when no secret is sealed with it."""
    if found.unreadable:
        names = ", ".join(f"{it.secret} of {it.site}" for it in found.unreadable)
        hint = "add the missing key to TWINLINK_SECRET_KEY, or set these secrets again"
        return Check("sealed secrets", "fail", f"no key can decrypt: {names}", hint)
    if found.unusable:
        names = ", ".join(f"{it.secret} of {it.site}" for it in found.unusable)
        hint = (
            "somebody may have moved them in the database: store the address and secrets of each"
            " site again: twinlink site put NAME --base-url URL --token-file FILE"
            " --webhook-secret-file FILE"
        )
        return Check("sealed secrets", "fail", f"sealed for another place: {names}", hint)
    if found.unbound:
        detail = f"{found.unbound} not bound to their sites yet"
        return Check("sealed secrets", "warn", detail, "run `twinlink secrets rotate`")
    if found.former:
        detail = f"{found.former} of {found.former + found.current} sealed with an old key"
        return Check("sealed secrets", "warn", detail, "run `twinlink secrets rotate`")
    return Check("sealed secrets", "ok", f"{found.current} sealed with the newest key")


def _short(found: Survey) -> Iterator[Check]:
    if found.short:
        hint = (
            f"store one of at least {SHORTEST_SECRET} characters here and in Jira's webhook:"
            " twinlink site put NAME --webhook-secret-file FILE; the former one stays valid for a"
            " day"
        )
        yield Check("webhook secrets", "warn", f"too short: {', '.join(found.short)}", hint)


async def _installation(conn: Connection, named: str | None) -> Check:
    stored = await id_of(conn)
    if named is None and stored:
        hint = f"set TWINLINK_INSTALLATION={stored}; until then workers write nothing"
        return Check("installation", "fail", "not set", hint)
    if named is None:
        hint = "set TWINLINK_INSTALLATION, so that a copy of the database writes nothing"
        return Check("installation", "warn", "not set", hint)
    if stored in {None, "", named}:
        return Check("installation", "ok", named)
    hint = "is it a copy of another installation's database? workers write nothing"
    return Check("installation", "fail", f"the database belongs to {stored}", hint)
