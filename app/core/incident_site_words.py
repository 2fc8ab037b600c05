"""What is said of an incident of a site, from its facts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from app.core.incidents import Detail


def _rejected(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('rejected', 0)} deliveries were refused since {detail.get('since', '-')} and"
        " no valid one has come. Jira does not send them again."
    )


def _refused(detail: Detail) -> Iterator[str]:
    yield f"{detail.get('pairs', 0)} pairs wait: {detail.get('code', '-')}. Nothing is concluded."


def _silent(detail: Detail) -> Iterator[str]:
    if "stopped_since" in detail:
        yield f"It fails; calls to it are stopped since {detail['stopped_since']}."
    if "since" in detail:
        yield f"Nothing was read there since {detail['since']}."
    yield "Nothing is concluded."


def _locked(detail: Detail) -> Iterator[str]:
    yield (
        f"Since {detail.get('since', '-')} no call leaves for it: each would renew its lock."
        " A person has to log in there by browser as the service's account, solve the CAPTCHA, and"
        " unlock the site here. Nothing is concluded."
    )


def _expires(detail: Detail) -> Iterator[str]:
    yield (
        f"The token of our account ends at {detail.get('at', '-')}; from then on nothing is read or"
        " written there. Make another one, and store it here with the time when it ends."
    )


def _project(detail: Detail) -> Iterator[str]:
    yield (
        f"Jira refuses to search {detail.get('count', 0)} projects of connections there:"
        f" {detail.get('projects', '-')}. Each is mistyped, renamed, archived, deleted, or hidden"
        " from our account; Jira does not say which. Their links are not polled, nothing is"
        " concluded about them, and the other projects go on."
    )


SITE_SENTENCES: Final[Mapping[str, Callable[[Detail], Iterator[str]]]] = {
    "deliveries_rejected": _rejected,
    "site_identity_changed": _refused,
    "site_refused": _refused,
    "site_locked": _locked,
    "token_expires": _expires,
    "project_unseen": _project,
    "circuit_open": _silent,
}
