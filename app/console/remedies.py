"""What to do about a finding of a site's check, in a sentence beside what was found."""

from collections.abc import Mapping
from typing import Final

_RENEW = "Make a new token for the account in Jira, and store it in the form on this page."
_REFUSED = (
    "Jira Cloud takes the account's e-mail and one of its API tokens; Data Center takes a personal"
    f" access token alone. {_RENEW}"
)
_ADDRESS = "Compare the address with the one in your browser's address bar, and store it again."
_WAIT = "Check again in some minutes; if it stays, look whether Jira is up."

REMEDIES: Final[Mapping[str, str]] = {
    # Nothing, or something else, answers
    "token_unavailable": "Compare the client's id and secret with those of the service account.",
    "unreachable": "See that the name resolves and the port is open from where Twinlink runs.",
    "timeout": _WAIT,
    "dropped": _WAIT,
    "address_refused": "For a Jira inside the network set TWINLINK_ALLOW_PRIVATE_SITES=1.",
    "redirected": _ADDRESS,
    "bad_answer": _ADDRESS,
    "refused": "Choose the other kind of Jira, or " + _ADDRESS[0].lower() + _ADDRESS[1:],
    "rate_limited": "Check again in a minute.",
    "server_error": _WAIT,
    # It does not know us
    "captcha_required": "Log in there by browser as this account, then run `twinlink site unlock`.",
    "unauthorized": _REFUSED,
    "forbidden": "Give the account access to Jira, and a token whose scopes allow reading.",
    "anonymous": _REFUSED,
    "account_changed": "Store a token of the account that was pinned.",
    "token_expires": _RENEW,
    "token_replaced": "Store when the token that is in use now expires.",
    # It is another Jira than it should be
    "identity_changed": "Store the address of the Jira that was pinned; a moved Jira is rehomed.",
    "identity_taken": "Go on with the site that has this Jira already.",
    # What the account may do
    "account_not_dedicated": "Tick in the form that nothing else uses the account, if that is so.",
    "no_link_types": "Switch issue linking on in Jira, and give the account a project.",
    "project_unseen": "Correct the key in the connection, or give the account Browse projects.",
    "project_renamed": "Name the project in the connection as Jira calls it now.",
    "project_archived": "Restore the project in Jira, or take it out of the connection.",
    "projects_unchecked": "Check again once the site answers.",
    "browse_not_permitted": "Give the account Browse projects in Jira's permission scheme.",
    "link_not_permitted": "Give the account Link issues in Jira's permission scheme.",
    "link_type_renamed": "Nothing: the type is followed by its id.",
    # What comes from it
    "circuit_open": _WAIT,
    "deliveries_path": "Correct the webhook's URL in Jira, or register it again below.",
    "deliveries_unsigned": "Give the webhook in Jira its secret, or register it again below.",
    "deliveries_deleted": "Register the webhook again below: the former one's secret is not known.",
}


def remedy(code: str) -> str:
    return REMEDIES.get(code, "Check again; the service's log has more under this code.")
