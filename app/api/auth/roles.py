"""Who may do what: one table, walked by a test over every route, for every role.

A route that has no line here cannot be built, so nothing is open by oversight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

V1 = "/api/v1"


class Role(StrEnum):
    """Each includes the former ones."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Rule:
    """`everywhere`: the call acts beyond connections, or its body names sites or projects, so a
    token that is confined to some connections may not make it, whatever its role."""

    role: Role
    everywhere: bool = False


_VIEW = Rule(Role.VIEWER)
_OPERATE = Rule(Role.OPERATOR)
_APPROVE = Rule(Role.APPROVER)
_ADMIN = Rule(Role.ADMIN)
_ADMIN_ALL = Rule(Role.ADMIN, everywhere=True)

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/me"): _VIEW,
    ("GET", "/workers"): Rule(Role.VIEWER, everywhere=True),
    ("GET", "/engines"): Rule(Role.VIEWER, everywhere=True),
    ("POST", "/engines/{engine}/accept"): Rule(Role.APPROVER, everywhere=True),
    # Sites serve several connections
    ("GET", "/sites"): _VIEW,
    ("GET", "/sites/{site}"): _VIEW,
    ("GET", "/sites/{site}/link_types"): _VIEW,
    ("GET", "/sites/{site}/projects"): _ADMIN_ALL,
    ("GET", "/sites/{site}/webhook"): _ADMIN_ALL,
    ("POST", "/sites/{site}/webhook"): _ADMIN_ALL,
    ("POST", "/site_addresses"): _ADMIN_ALL,
    ("PUT", "/sites/{site}"): _ADMIN_ALL,
    ("DELETE", "/sites/{site}"): _ADMIN_ALL,
    ("POST", "/sites/{site}/check"): _ADMIN_ALL,
    ("POST", "/sites/{site}/unlock"): Rule(Role.OPERATOR, everywhere=True),
    # Connections
    ("GET", "/connections"): _VIEW,
    ("GET", "/connections/{name}"): _VIEW,
    ("PUT", "/connections/{name}"): _ADMIN_ALL,
    ("POST", "/connections/{name}/difference"): _ADMIN_ALL,
    ("DELETE", "/connections/{name}"): _ADMIN,
    ("GET", "/connections/{name}/status"): _VIEW,
    ("GET", "/connections/{name}/outlook"): _VIEW,
    ("GET", "/statuses"): _VIEW,
    ("GET", "/connections/{name}/activity"): _VIEW,
    ("GET", "/connections/{name}/revisions"): _VIEW,
    ("POST", "/connections/{name}/revisions"): _ADMIN_ALL,
    ("GET", "/connections/{name}/revisions/{number}"): _VIEW,
    ("POST", "/connections/{name}/rollback"): _APPROVE,
    ("PUT", "/connections/{name}/mode"): _APPROVE,
    ("POST", "/connections/{name}/pause"): _OPERATE,
    ("POST", "/connections/{name}/resume"): _OPERATE,
    ("POST", "/connections/{name}/guard/reset"): _APPROVE,
    ("POST", "/pause"): Rule(Role.OPERATOR, everywhere=True),
    ("POST", "/resume"): Rule(Role.OPERATOR, everywhere=True),
    # Twins and links
    ("GET", "/twins"): _VIEW,
    ("GET", "/connections/{name}/twins"): _VIEW,
    ("POST", "/connections/{name}/twins"): _OPERATE,
    ("DELETE", "/connections/{name}/twins/{id}"): _OPERATE,
    ("GET", "/connections/{name}/links"): _VIEW,
    ("GET", "/connections/{name}/explain"): _VIEW,
    ("POST", "/sites/{site}/rehomings"): _ADMIN_ALL,
    ("GET", "/sites/{site}/rehomings"): _ADMIN_ALL,
    ("POST", "/connections/{name}/adoptions"): _APPROVE,
    ("GET", "/connections/{name}/adoptions"): _VIEW,
    ("GET", "/connections/{name}/adoptions/{id}"): _VIEW,
    # Resyncs and plans
    ("POST", "/connections/{name}/resyncs"): _OPERATE,
    ("GET", "/resyncs"): _VIEW,
    ("GET", "/resyncs/{id}"): _VIEW,
    ("POST", "/resyncs/{id}/cancel"): _OPERATE,
    ("GET", "/resyncs/{id}/events"): _VIEW,
    ("GET", "/plans"): _VIEW,
    ("GET", "/plans/{id}"): _VIEW,
    ("POST", "/plans/{id}/approval"): _APPROVE,
    ("DELETE", "/plans/{id}/approval"): _APPROVE,
    ("POST", "/plans/{id}/rejection"): _APPROVE,
    ("POST", "/restores"): _APPROVE,
    ("GET", "/restores"): _VIEW,
    ("GET", "/restores/{id}"): _VIEW,
    ("GET", "/restores/{id}/events"): _VIEW,
    ("POST", "/rescues"): Rule(Role.APPROVER, everywhere=True),
    ("GET", "/rescues"): _VIEW,
    ("GET", "/rescues/{id}"): _VIEW,
    ("GET", "/rescues/{id}/events"): _VIEW,
    # What happened
    ("GET", "/audit"): _VIEW,
    ("GET", "/audit/export"): _VIEW,
    ("POST", "/audit/verifications"): Rule(Role.OPERATOR, everywhere=True),
    ("GET", "/audit/verifications"): Rule(Role.VIEWER, everywhere=True),
    ("GET", "/audit/verifications/{id}"): Rule(Role.VIEWER, everywhere=True),
    ("GET", "/deliveries"): _VIEW,
    ("GET", "/failures"): _VIEW,
    ("POST", "/failures/{id}/retry"): _OPERATE,
    ("POST", "/failures/{id}/dismissal"): _OPERATE,
    ("GET", "/intents"): _VIEW,
    ("GET", "/incidents"): _VIEW,
    ("GET", "/incidents/{id}"): _VIEW,
    ("POST", "/incidents/{id}/updates"): _OPERATE,
    # The status page speaks for the whole installation
    ("PUT", "/incidents/{id}/publication"): Rule(Role.APPROVER, everywhere=True),
    ("DELETE", "/incidents/{id}/publication"): Rule(Role.APPROVER, everywhere=True),
    # A restricted administrator could otherwise hand himself an unrestricted token
    ("GET", "/tokens"): _ADMIN_ALL,
    ("POST", "/tokens"): _ADMIN_ALL,
    ("DELETE", "/tokens/{id}"): _ADMIN_ALL,
}


def rule_for(method: str, path: str) -> Rule:
    """*path* is a route's full template. Raises `KeyError` for a route without a line."""
    return RULES[method, path.removeprefix(V1)]
