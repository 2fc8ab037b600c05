"""A site as an administrator wants it, completed with the secrets that are stored already."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from app.jira.http.access import BasicAuth, BearerAuth, SiteAccess
from app.store.config.sites import Pins, SiteRow, SiteValues
from app.store.config.vault import Vault
from app.sync.sites.access import Auth, kind_of, seal_auth
from app.sync.sites.check import Probe

# Design section 8: Jira may still sign with it while its administrator changes the webhook.
FORMER_SECRET_VALID = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AuthSpec:
    """None: keep what is stored."""

    kind: Literal["basic", "bearer"]
    email: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


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


@dataclass(frozen=True, slots=True)
class Wish:
    """A spec completed with the secrets that were stored, beside what was stored."""

    spec: SiteSpec
    auth: Auth
    secret: str = field(repr=False)
    former_auth: Auth | None
    former_secret: str | None = field(repr=False)
    known: SiteRow | None

    @property
    def moved(self) -> bool:
        """Another Jira, or another account, may answer now."""
        known, spec = self.known, self.spec
        return (
            known is None
            or not known.pinned
            or self.changed_auth
            or (spec.base_url, spec.deployment) != (known.base_url, known.deployment)
        )

    @property
    def changed(self) -> bool:
        known, spec = self.known, self.spec
        return (
            known is None
            or (self.auth, self.secret) != (self.former_auth, self.former_secret)
            or (spec.base_url, spec.web_url, spec.deployment, spec.account_dedicated)
            != (known.base_url, known.web_url, known.deployment, known.account_dedicated)
            or spec.requests_per_second != known.requests_per_second
            or spec.token_expires_at != known.token_expires_at
        )

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
        )

    @property
    def locked(self) -> bool:
        """The site wants a person, and these are the credentials that it said so to."""
        known = self.known
        return known is not None and known.locked_since is not None and not self.changed_auth

    @property
    def changed_auth(self) -> bool:
        return self.auth != self.former_auth

    def pins(self, seen: Probe | None) -> Pins:
        """Set together, from the first complete answer. An identity is never replaced; an
        account is, by storing its credentials, if need be at the next check."""
        if seen is not None and seen.complete:
            return Pins(seen.identity, seen.account_id)
        if self.known is None:
            return Pins(None, None)
        same = self.auth == self.former_auth
        return Pins(self.known.identity, self.known.account_id if same else None)

    def values(self, vault: Vault, now: datetime) -> SiteValues:
        """What is stored. A replaced webhook secret stays valid for a day."""
        known = self.known
        previous = None if known is None else known.previous_secret_sealed
        until = None if known is None else known.previous_secret_until
        if known is not None and self.secret != self.former_secret:
            previous, until = known.webhook_secret_sealed, now + FORMER_SECRET_VALID
        if self.former_secret is None:
            previous, until = None, None  # no key opens it: no delivery could be held to it
        return SiteValues(
            base_url=self.spec.base_url,
            web_url=self.spec.web_url,
            deployment=self.spec.deployment,
            auth_kind=kind_of(self.auth),
            auth_sealed=seal_auth(self.auth, vault),
            webhook_secret_sealed=vault.seal(self.secret),
            previous_secret_sealed=previous,
            previous_secret_until=until,
            account_dedicated=self.spec.account_dedicated,
            requests_per_second=self.spec.requests_per_second,
            token_expires_at=self.spec.token_expires_at,
        )


def merged(spec: AuthSpec | None, former: Auth | None) -> Auth | None:
    """What was sent, completed with what is stored for the same kind; None if parts are missing."""
    if spec is None:
        return former
    if spec.kind == "bearer":
        kept = former.token if isinstance(former, BearerAuth) else None
        token = spec.token or kept
        return BearerAuth(token) if token else None
    basic = former if isinstance(former, BasicAuth) else None
    email = spec.email or (basic.email if basic else None)
    token = spec.token or (basic.token if basic else None)
    return BasicAuth(email, token) if email and token else None


def elsewhere(spec: SiteSpec, known: SiteRow) -> bool:
    return urlsplit(spec.base_url)[:2] != urlsplit(known.base_url)[:2]
