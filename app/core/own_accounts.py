"""Our accounts on one site: the present one and the former ones, each with its time.

An entry of a changelog is ours if its author was our account *then*: a former account may belong to
a person now, and the present one may have been a person's before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.links import AccountId

# A tenure is kept by our clock and compared with Jira's; a write that was on its way when the
# account changed ends within a minute.
SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Tenure:
    """*account* was ours from *since* until *until*; None has no limit on that side."""

    account: AccountId
    since: datetime | None = None
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        begun = self.since is None or at >= self.since - SLACK
        return begun and (self.until is None or at <= self.until + SLACK)


@dataclass(frozen=True, slots=True)
class OwnAccounts:
    """All tenures of one site."""

    tenures: tuple[Tenure, ...] = ()

    @classmethod
    def only(cls, account: AccountId | None) -> "OwnAccounts":
        """One account, whenever; none at all where it is not known."""
        return cls() if account is None else cls((Tenure(account),))

    def wrote(self, author: AccountId | None, at: datetime) -> bool:
        """Whether *author* was our account at that time."""
        return any(it.account == author and it.covers(at) for it in self.tenures)

    def among(self, authors: Iterable[tuple[AccountId | None, datetime]]) -> bool:
        """Whether one of *authors*, each with the time of its entry, was ours then."""
        return any(self.wrote(author, at) for author, at in authors)
