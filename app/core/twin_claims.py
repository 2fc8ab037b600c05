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
person. The pair is suspended meanwhile: its links stay ours, and nothing is planned for them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.core.links import IssueId

AMBIGUOUS = "ambiguous_claim"
"""Why such a pair is suspended."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as it stands. `claimant` is its issue on the side of the field."""

    twin: int
    claimant: IssueId
    by_field: bool
    suspended: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` holds for every claim. The others name what is to be done, if anything:
    the claimant to pair, the twin to suspend or to resume, the issue to look at again."""

    status: str
    make: IssueId | None = None
    rest: int | None = None
    resume: int | None = None
    look: IssueId | None = None


def judge(
    claimants: Collection[IssueId], at_target: Pair | None, elsewhere: Mapping[IssueId, Pair]
) -> Verdict:
    """See the table. *claimants* is not empty; *elsewhere* holds their other pairs."""
    if at_target is not None and not at_target.by_field:
        return Verdict("already_paired")
    if len(claimants) > 1:
        return _contend(claimants, at_target)
    (claimant,) = claimants
    if at_target is None:
        if claimant in elsewhere:
            return Verdict("already_paired")
        return Verdict("paired", make=claimant)
    if at_target.claimant != claimant:
        return Verdict("already_paired", look=at_target.claimant)
    resume = at_target.twin if at_target.suspended == AMBIGUOUS else None
    return Verdict("paired", resume=resume)


def _contend(claimants: Collection[IssueId], at_target: Pair | None) -> Verdict:
    if at_target is None:
        return Verdict("ambiguous")
    if at_target.claimant not in claimants:
        return Verdict("ambiguous", look=at_target.claimant)
    rest = at_target.twin if at_target.suspended != AMBIGUOUS else None
    return Verdict("ambiguous", rest=rest)
