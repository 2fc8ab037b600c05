"""A Jira by the address that a person pastes: where its REST API is, and which deployment it is."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.core.config import Problem
from app.core.errors import TwinlinkError
from app.jira.http.access import Deployment
from app.jira.http.network import check_base_url
from app.jira.http.pasted_address import base_url
from app.sync.runtime.refusals import invalid

Ask = Callable[[str], Awaitable[Deployment | None]]
"""Which Jira answers at a base URL; None where it does not say so."""

_URL_WORDS: Final[Mapping[str, str]] = {
    "not_a_url": "is not a URL",
    "scheme": "must begin with https://",
    "userinfo": "must not contain credentials",
    "query": "must have neither query nor fragment",
    "private_address": "is a private address; see TWINLINK_ALLOW_PRIVATE_SITES",
}
_TROUBLE: Final[Mapping[str, str]] = {
    "unreachable": "does not answer: no connection could be made",
    "timeout": "does not answer in time",
    "redirected": "redirects elsewhere: write the address to which it leads",
    "not_jira": "answers, but not as Jira's REST API does",
    "address_refused": "leads to a private address; see TWINLINK_ALLOW_PRIVATE_SITES",
}


@dataclass(frozen=True, slots=True)
class Stated:
    """`deployment` is None where the Jira does not say it to a stranger: a person has to."""

    base_url: str
    deployment: Deployment | None


@dataclass(frozen=True, slots=True)
class Addresses:
    ask: Ask
    allow_private: bool

    async def look(self, pasted: str) -> Stated:
        """Raises `Refused` with what is wrong with the address, or with what answers there."""
        base = base_url(pasted)
        if base is None:
            raise invalid(Problem("/address", "is no address: write https://jira.example.org"))
        faults = list(url_faults(base, allow_private=self.allow_private))
        if faults:
            raise invalid(*(Problem("/address", fault) for fault in faults))
        try:
            return Stated(base, await self.ask(base))
        except TwinlinkError as error:
            words = _TROUBLE.get(error.code, "could not be asked")
            raise invalid(Problem("/address", words)) from error


def url_faults(
    url: str, *, allow_private: bool, but: frozenset[str] = frozenset()
) -> Iterator[str]:
    """What is wrong with the text of an address to which calls would go, in words."""
    for word in check_base_url(url, allow_private=allow_private):
        if word not in but:
            yield _URL_WORDS.get(word, "cannot be used")
