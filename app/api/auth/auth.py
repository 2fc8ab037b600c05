"""Who calls: a bearer token, the role that it has, and the connections that it is confined to."""

import hmac
import math
from dataclasses import dataclass

from fastapi import Request

from app.api.auth.auth_throttle import Attempts, source_of
from app.api.auth.roles import Role, Rule
from app.api.http.problems import Problem
from app.store.access import tokens
from app.store.access.sessions import SIGNED_IN, SignedIn
from app.wiring import Services

_SCRAPER = "metrics"
_REALM = 'Bearer realm="twinlink"'
# A longer text is none of ours; hashing it would only cost.
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class Caller:
    """`id` tells tokens apart, `owner` goes into records. `connections` are ids, None means
    all: a name may be given to another connection later, an id never is.
    `names` are what they are called now, to be shown only."""

    id: str
    owner: str
    role: Role
    connections: tuple[int, ...] | None = None
    names: tuple[str, ...] | None = None

    def sees(self, connection: int) -> bool:
        return self.connections is None or connection in self.connections


async def authenticate(request: Request, services: Services, *, scraping: bool = False) -> Caller:
    """Raises `Problem` 401, or 429 after too many of them. *scraping*: the token of scrapers is
    one, too; everywhere else it is none."""
    session: SignedIn | None = request.scope.get(SIGNED_IN)
    if session is not None:
        caller = await _signed_in(session, services)
        if caller is None:
            raise Problem("unauthenticated", headers={"WWW-Authenticate": _REALM})
        return caller
    text = _bearer(request.headers.get("authorization"))
    if text is None:
        raise Problem("unauthenticated", headers={"WWW-Authenticate": _REALM})
    attempts: Attempts = request.app.state.attempts
    source, digest = source_of(request.scope.get("client")), tokens.digest(text)
    guess = not tokens.is_unguessable(text)
    wait = attempts.wait(source)
    if wait and guess and not attempts.was_accepted(source, digest):
        raise _too_many(services, wait)
    caller = _scraper(text, services) if scraping else None
    caller = caller or await _caller(text, services)
    if caller is not None:
        attempts.accepted(source, digest)
        return caller
    counted = source if guess else f"{source} stale"
    wait = max(wait, attempts.wait(counted))
    attempts.failed(counted)
    if wait:
        raise _too_many(services, wait)
    services.metrics.auth_failures.labels("refused").inc()
    headers = {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}
    raise Problem("unauthenticated", headers=headers)


def _scraper(text: str, services: Services) -> Caller | None:
    token = services.settings.metrics_token
    known = token is not None and _equal(text, token.get_secret_value())
    return Caller(_SCRAPER, _SCRAPER, Role.VIEWER) if known else None


async def _caller(text: str, services: Services) -> Caller | None:
    """The administrator's token of the environment needs no database."""
    admin = services.settings.admin_token
    if admin is not None and _equal(text, admin.get_secret_value()):
        return Caller(tokens.BOOTSTRAP, tokens.BOOTSTRAP, Role.ADMIN)
    async with services.database.connection() as conn:
        token = await tokens.authenticate(conn, text, services.clock())
    return None if token is None else _of_token(token)


async def _signed_in(session: SignedIn, services: Services) -> Caller | None:
    """A session of the console is worth what its token is worth now."""
    admin = services.settings.admin_token
    if session.token_id is None:
        if admin is None or tokens.digest(admin.get_secret_value()) != session.token_hash:
            return None
        return Caller(tokens.BOOTSTRAP, tokens.BOOTSTRAP, Role.ADMIN)
    async with services.database.connection() as conn:
        token = await tokens.by_id(conn, session.token_id, services.clock())
    return None if token is None else _of_token(token)


def _of_token(token: tokens.TokenRow) -> Caller:
    confined = None if token.confined_to is None else tuple(token.confined_to)
    names = None if token.connections is None else tuple(token.connections)
    return Caller(str(token.id), token.owner, Role(token.role), confined, names)


def _too_many(services: Services, wait: float) -> Problem:
    services.metrics.auth_failures.labels("limited").inc()
    return Problem("too_many_attempts", headers={"Retry-After": str(math.ceil(wait))})


def authorize(caller: Caller, rule: Rule) -> None:
    """Raises `Problem` 403."""
    if not caller.role.includes(rule.role):
        raise Problem("forbidden", f"needs the role {rule.role.value}")
    if rule.everywhere and caller.connections is not None:
        raise Problem("forbidden", "needs a token that is not restricted to connections")


def _bearer(header: str | None) -> str | None:
    scheme, _, text = (header or "").partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and 0 < len(text) <= _LONGEST else None


def _equal(sent: str, known: str) -> bool:
    # Digests, so that neither the length nor a character outside ASCII shows.
    return hmac.compare_digest(tokens.digest(sent), tokens.digest(known))
