"""A site as an administrator wants it, completed with the secrets that are stored already."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from app.core.config import Problem
from app.jira.http.access import (
    ATLASSIAN_TOKENS,
    BasicAuth,
    BearerAuth,
    ClientCredentials,
    OwnProxy,
    SiteAccess,
)
from app.store.config.sites import AuthKind, Pins, ProxyKind, SiteRow, SiteValues
from app.store.config.vault import Vault
from app.store.secret_homes import PREVIOUS, PROXY, WEBHOOK, Home
from app.sync.sites.access import Auth, Opened, kind_of, seal_auth
from app.sync.sites.check import Probe

# Design section 8: Jira may still sign with it while its administrator changes the webhook.
FORMER_SECRET_VALID = timedelta(hours=24)
# It is all that keeps forged deliveries out, and one delivery is enough to guess at it off line.
SHORTEST_SECRET = 16
_IN_A_URL = re.compile(r"[A-Za-z0-9_-]+")


def is_short(secret: str) -> bool:
    return len(secret) < SHORTEST_SECRET


@dataclass(frozen=True, slots=True)
class AuthSpec:
    """None: keep what is stored."""

    kind: AuthKind
    email: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    second_token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    token_url: str | None = None
    scope: str | None = None

    @property
    def secret(self) -> str | None:
        """What it brings that no other person can know."""
        return self.client_secret if self.kind == "oauth" else self.token


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """The site's way out. An URL that is None keeps what is stored."""

    kind: ProxyKind = "installation"
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """A site as an administrator wants it. Secrets that are None keep what is stored."""

    base_url: str
    web_url: str | None
    deployment: Literal["cloud", "datacenter"]
    auth: AuthSpec | None
    webhook_secret: str | None = field(repr=False)
    account_dedicated: bool
    requests_per_second: float | None = None
    token_expires_at: datetime | None = None
    webhook_basic: bool = False
    ca_certificates: str | None = None
    proxy: ProxySpec = ProxySpec()


@dataclass(frozen=True, slots=True)
class Wish:
    """A spec completed with the secrets that were stored, beside what was stored."""

    spec: SiteSpec
    auth: Auth
    secret: str = field(repr=False)
    former: Opened
    known: SiteRow | None
    proxy: OwnProxy | None = None

    @property
    def moved(self) -> bool:
        """Another Jira, or another account, may answer now."""
        known, spec = self.known, self.spec
        return (
            known is None
            or not known.pinned
            or self.changed_auth
            or self.changed_way
            or (spec.base_url, spec.deployment) != (known.base_url, known.deployment)
        )

    @property
    def changed(self) -> bool:
        known, spec = self.known, self.spec
        return (
            known is None
            or (self.auth, self.secret) != (self.former.auth, self.former.secret)
            or (spec.base_url, spec.web_url, spec.deployment, spec.account_dedicated)
            != (known.base_url, known.web_url, known.deployment, known.account_dedicated)
            or spec.requests_per_second != known.requests_per_second
            or spec.token_expires_at != known.token_expires_at
            or spec.webhook_basic != known.webhook_basic
            or self.changed_way
            or self.former.failure is not None
        )

    @property
    def changed_way(self) -> bool:
        """Its calls go another way, or believe another authority."""
        known = self.known
        before = None if known is None else known.ca_certificates
        return (self.proxy, self.spec.ca_certificates) != (self.former.proxy, before)

    def access(self, name: str) -> SiteAccess:
        """For a first look: without pins, since it is the look that finds them. Who stores other
        credentials says that a locked site may be tried."""
        site_id = self.known.id if self.known else 0
        return SiteAccess(
            site_id,
            name,
            self.spec.base_url,
            self.spec.deployment,
            self.auth,
            locked=self.locked,
            authorities=self.spec.ca_certificates,
            proxy=self.proxy,
        )

    @property
    def locked(self) -> bool:
        """The site wants a person, and these are the credentials that it said so to."""
        known = self.known
        return known is not None and known.locked_since is not None and not self.changed_auth

    @property
    def changed_auth(self) -> bool:
        """Another sign-in is used from now on. A second token is not, yet."""
        return self.former.auth is None or self.auth.alone != self.former.auth.alone

    def pins(self, seen: Probe | None) -> Pins:
        """Set together, from the first complete answer. An identity is never replaced; an
        account is, by storing its credentials, if need be at the next check."""
        if seen is not None and seen.complete:
            return Pins(seen.identity, seen.account_id)
        if self.known is None:
            return Pins(None, None)
        account = None if self.changed_auth else self.known.account_id
        return Pins(self.known.identity, account)

    def values(self, vault: Vault, name: str, pins: Pins, now: datetime) -> SiteValues:
        """What is stored, each secret sealed for the site as it will be. A replaced webhook secret
        stays valid for a day."""
        known, former = self.known, self.former
        home = Home(name, self.spec.base_url, pins.identity, self.spec.ca_certificates)
        previous = former.previous
        until = None if known is None else known.previous_secret_until
        if self.secret != former.secret:
            previous, until = former.secret, now + FORMER_SECRET_VALID
        if former.secret is None or previous is None:
            previous, until = None, None  # nothing opens it: no delivery could be held to it
        seen_to = self.changed_auth or self.spec.token_expires_at is not None
        return SiteValues(
            base_url=self.spec.base_url,
            web_url=self.spec.web_url,
            deployment=self.spec.deployment,
            auth_kind=kind_of(self.auth),
            auth_sealed=seal_auth(self.auth, vault, home),
            webhook_secret_sealed=vault.seal(self.secret, home, WEBHOOK),
            previous_secret_sealed=(
                None if previous is None else vault.seal(previous, home, PREVIOUS)
            ),
            previous_secret_until=until,
            account_dedicated=self.spec.account_dedicated,
            requests_per_second=self.spec.requests_per_second,
            token_expires_at=self.spec.token_expires_at,
            second_token=self.auth.successor is not None,
            # It says so until a person has stored something else.
            token_replaced_at=None if known is None or seen_to else known.token_replaced_at,
            webhook_basic=self.spec.webhook_basic,
            ca_certificates=self.spec.ca_certificates,
            proxy_kind=self.spec.proxy.kind,
            proxy_sealed=_sealed(self.proxy, vault, home),
        )


def _sealed(proxy: OwnProxy | None, vault: Vault, home: Home) -> bytes | None:
    url = None if proxy is None else proxy.url
    return None if url is None else vault.seal(url, home, PROXY)


def merged(spec: AuthSpec | None, former: Auth | None) -> Auth | None:
    """What was sent, completed with what is stored for the same kind; None if parts are missing."""
    if spec is None:
        return former
    if spec.kind == "oauth":
        return _client(spec, former if isinstance(former, ClientCredentials) else None)
    if spec.kind == "bearer":
        bearer = former if isinstance(former, BearerAuth) else None
        token = spec.token or (bearer.token if bearer else None)
        return BearerAuth(token, _second(spec, bearer)) if token else None
    basic = former if isinstance(former, BasicAuth) else None
    email = spec.email or (basic.email if basic else None)
    token = spec.token or (basic.token if basic else None)
    return BasicAuth(email, token, _second(spec, basic)) if email and token else None


def _second(spec: AuthSpec, former: BasicAuth | BearerAuth | None) -> str | None:
    """A first token that is stored anew ends the exchange: a second one comes with it or goes."""
    if spec.second_token or former is None or spec.token not in {None, former.token}:
        return spec.second_token
    return former.second


def _client(spec: AuthSpec, former: ClientCredentials | None) -> ClientCredentials | None:
    client = spec.client_id or (former.client_id if former else None)
    secret = spec.client_secret or (former.client_secret if former else None)
    if not client or not secret:
        return None
    url = spec.token_url or (former.token_url if former else ATLASSIAN_TOKENS)
    # A scope is asked of one token server: another one has its own.
    kept = former.scope if former and former.token_url == url else None
    return ClientCredentials(client, secret, url, spec.scope or kept)


def token_problems(spec: SiteSpec, auth: Auth | None) -> Iterable[Problem]:
    """A Data Center gives out its own tokens: its client's secret is not for Atlassian's server."""
    atlassian = isinstance(auth, ClientCredentials) and auth.token_url == ATLASSIAN_TOKENS
    if atlassian and spec.deployment == "datacenter":
        yield Problem(
            "/auth/token_url",
            "is required for Data Center: its base URL and /rest/oauth2/latest/token",
        )


def elsewhere(spec: SiteSpec, known: SiteRow, auth: Auth | None, former: Opened) -> bool:
    """Whether credentials would go to another address than they were stored for, or be shown to
    a Jira that another authority vouches for, or to another proxy."""
    addresses = [spec.base_url]
    if isinstance(auth, ClientCredentials):
        addresses.append(auth.token_url)
        stored = former.auth
        if isinstance(stored, ClientCredentials) and auth.token_url != stored.token_url:
            return True
    return _led_elsewhere(spec, known, former, addresses)


def _led_elsewhere(
    spec: SiteSpec, known: SiteRow, former: Opened, addresses: Iterable[str]
) -> bool:
    if spec.base_url != known.base_url:
        return True
    if spec.ca_certificates is not None and spec.ca_certificates != known.ca_certificates:
        return True
    # Through TLS a proxy sees nothing.
    proxy = None if former.proxy is None else former.proxy.url
    is_other = spec.proxy.url is not None and spec.proxy.url != proxy
    return is_other and any(urlsplit(url).scheme != "https" for url in addresses)


def secret_problems(
    spec: SiteSpec, known: SiteRow | None, former: Opened, secret: str | None
) -> Iterable[Problem]:
    """*secret*: what was sent, or what is stored."""
    led = known is not None and _led_elsewhere(spec, known, former, [spec.base_url])
    if not secret:
        yield Problem("/webhook_secret", "is required")
    elif led and spec.webhook_secret is None:
        # Registering the webhook would enter the one that is stored at another Jira.
        yield Problem("/webhook_secret", "is required when it would go elsewhere")
    elif spec.webhook_secret and is_short(spec.webhook_secret):
        yield Problem(
            "/webhook_secret",
            f"must have at least {SHORTEST_SECRET} characters, of any kind: make one with"
            " `openssl rand -hex 32`, and store the same one in Jira's webhook",
        )
    if not spec.webhook_basic:
        return
    if spec.deployment != "datacenter":
        yield Problem("/webhook_basic", "is for Data Center alone: Jira Cloud signs its deliveries")
    if secret and not _IN_A_URL.fullmatch(secret):
        yield Problem("/webhook_secret", "must be letters, digits, - and _ to be put into a URL")


def merged_proxy(spec: ProxySpec, former: OwnProxy | None) -> OwnProxy | None:
    """What was sent, completed with the URL that is stored; without URL: directly."""
    if spec.kind == "installation":
        return None
    if spec.kind == "direct":
        return OwnProxy(None)
    return OwnProxy(spec.url or (former.url if former else None))
