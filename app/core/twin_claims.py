"""What becomes of the claims that twin fields make on one issue, its *target*.

======================  =============================  =====================================
claims on the target    pair at the target             outcome
======================  =============================  =====================================
any number              paired through the API         all are `already_paired`
two or more             none                           all are `ambiguous`
two or more             by field, with one of them     all `ambiguous`, the pair is suspended
two or more             by field, with another issue   all `ambiguous`, look at that issue
one                     by field, with that issue      `paired`, and resumes if suspended
one                     by field, with another issue   `already_paired`, look at that issue
one, paired elsewhere   none                           `already_paired`
one                     none                           `paired`: make the pair
======================  =============================  =====================================

Two issues that claim the same one (a clone copies its original's fields) are a question for a
person. The pair is suspended meanwhile: its links stay ours, and nothing is planned for them. A
pair whose letting go waits in a plan is suspended already, and resumes the same way.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.links import IssueId


class ClaimStatus(StrEnum):
    """What became of a claim. `wrong_project`: an issue of it is out of the connection's scope.
    `error`: the field's text names no issue, or its pair could not be made. `unchanged` is only
    answered to a caller who names a pair that exists already."""

    PAIRED = "paired"
    UNCHANGED = "unchanged"
    UNKNOWN_ISSUE = "unknown_issue"
    WRONG_PROJECT = "wrong_project"
    ALREADY_PAIRED = "already_paired"
    AMBIGUOUS = "ambiguous"
    ERROR = "error"


AMBIGUOUS = "ambiguous_claim"
"""Why such a pair is suspended."""
LETTING_GO = "letting_go"
"""Why a pair is suspended that its field no longer names: a person decides whether it ends."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as it is now. `claimant` is its issue on the side of the field."""

    twin: int
    claimant: IssueId
    by_field: bool
    suspended: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` holds for every claim. The others name what is to be done, if anything:
    the claimant to pair, the twin to suspend or to resume, the issue to look at again."""

    status: ClaimStatus
    make: IssueId | None = None
    rest: int | None = None
    resume: int | None = None
    look: IssueId | None = None


def judge(
    claimants: Collection[IssueId], at_target: Pair | None, elsewhere: Mapping[IssueId, Pair]
) -> Verdict:
    """See the table. *claimants* is not empty; *elsewhere* holds their other pairs."""
    if at_target is not None and not at_target.by_field:
        return Verdict(ClaimStatus.ALREADY_PAIRED)
    if len(claimants) > 1:
        return _contend(claimants, at_target)
    (claimant,) = claimants
    if at_target is None:
        if claimant in elsewhere:
            return Verdict(ClaimStatus.ALREADY_PAIRED)
        return Verdict(ClaimStatus.PAIRED, make=claimant)
    if at_target.claimant != claimant:
        return Verdict(ClaimStatus.ALREADY_PAIRED, look=at_target.claimant)
    resume = at_target.twin if at_target.suspended in (AMBIGUOUS, LETTING_GO) else None
    return Verdict(ClaimStatus.PAIRED, resume=resume)


def _contend(claimants: Collection[IssueId], at_target: Pair | None) -> Verdict:
    if at_target is None:
        return Verdict(ClaimStatus.AMBIGUOUS)
    if at_target.claimant not in claimants:
        return Verdict(ClaimStatus.AMBIGUOUS, look=at_target.claimant)
    rests = at_target.suspended in (AMBIGUOUS, LETTING_GO)
    rest = None if rests else at_target.twin
    return Verdict(ClaimStatus.AMBIGUOUS, rest=rest)
