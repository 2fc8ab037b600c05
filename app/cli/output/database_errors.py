"""Why PostgreSQL cannot be used, in one line, and what to do. Never with a driver's message, which
may quote what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.cli.output.errors import CommandError

DATABASE_URL, MIGRATE_URL = "TWINLINK_DATABASE_URL", "TWINLINK_MIGRATE_DATABASE_URL"

_CAUSES: Mapping[str, tuple[str, str]] = {
    "InvalidPasswordError": (
        "refuses the role {role}: the password is wrong, or there is no such role",
        "correct role and password in {variable}",
    ),
    "InvalidAuthorizationSpecificationError": (
        "refuses the role {role}: its pg_hba.conf does not let it in from here",
        "correct the role in {variable}, or let it in",
    ),
    "InvalidCatalogNameError": (
        "has no database {database}",
        "create it, or correct the name in {variable}",
    ),
    "InsufficientPrivilegeError": (
        "lets the role {role} not do this",
        "grant it the right, or name another role in {variable}",
    ),
    "ConnectionRefusedError": (
        "does not run: nothing listens there",
        "start PostgreSQL, or correct host and port in {variable}",
    ),
    "gaierror": (
        "cannot be found: no such host name is known",
        "correct the host in {variable}",
    ),
    "TimeoutError": (
        "does not answer in time",
        "check that it runs and that no firewall is between; its address is in {variable}",
    ),
    "CannotConnectNowError": ("is starting or stopping", "try again in a moment"),
    "TooManyConnectionsError": (
        "has no connection left",
        "raise max_connections there, or lower TWINLINK_DB_POOL_MAX",
    ),
}
_ALIKE = {"ConnectionDoesNotExistError": "ConnectionRefusedError", "OSError": "TimeoutError"}


@dataclass(frozen=True, slots=True)
class Said:
    """`what` is one line with host and role; `remedy` what to do about it."""

    what: str
    remedy: str

    def error(self) -> CommandError:
        return CommandError(self.what, details=[self.remedy])


def said(cause: str, facts: Mapping[str, object], variable: str = DATABASE_URL) -> Said:
    """*cause* is the class of the driver's error, *facts* as `app.store.pool.place` gives them."""
    known = {"variable": variable, **facts}
    what, remedy = _CAUSES.get(
        _ALIKE.get(cause, cause), (f"cannot be used: {cause}", "see {variable}, and its own log")
    )
    at = f"PostgreSQL at {facts['host']}:{facts['port']}"
    role = "" if "{role}" in what else f" (as {facts['role']})" if facts["role"] else ""
    return Said(f"{at} {what.format(**known)}{role}", remedy.format(**known))
