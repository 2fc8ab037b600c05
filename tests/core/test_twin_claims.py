"""Claims on one issue: the table of `twinclaims` row by row."""

import pytest

from app.core.links import IssueId
from app.core.twin_claims import AMBIGUOUS, ClaimStatus, Pair, Verdict, judge

ONE, TWO, SIX = IssueId("1"), IssueId("2"), IssueId("6")


def by_field(claimant: IssueId, suspended: str | None = None) -> Pair:
    return Pair(9, claimant, by_field=True, suspended=suspended)


def by_api(claimant: IssueId) -> Pair:
    return Pair(9, claimant, by_field=False, suspended=None)


@pytest.mark.parametrize(
    ("claimants", "pair", "verdict"),
    [
        ([ONE], by_api(ONE), Verdict(ClaimStatus.ALREADY_PAIRED)),
        ([ONE], by_api(SIX), Verdict(ClaimStatus.ALREADY_PAIRED)),
        ([ONE, TWO], by_api(ONE), Verdict(ClaimStatus.ALREADY_PAIRED)),
        ([ONE, TWO], None, Verdict(ClaimStatus.AMBIGUOUS)),
        ([ONE, TWO], by_field(ONE), Verdict(ClaimStatus.AMBIGUOUS, rest=9)),
        ([ONE, TWO], by_field(ONE, AMBIGUOUS), Verdict(ClaimStatus.AMBIGUOUS)),
        ([ONE, TWO], by_field(ONE, "moved_out_of_scope"), Verdict(ClaimStatus.AMBIGUOUS, rest=9)),
        ([ONE, TWO], by_field(SIX), Verdict(ClaimStatus.AMBIGUOUS, look=SIX)),
        ([ONE], by_field(ONE), Verdict(ClaimStatus.PAIRED)),
        ([ONE], by_field(ONE, AMBIGUOUS), Verdict(ClaimStatus.PAIRED, resume=9)),
        ([ONE], by_field(ONE, "moved_out_of_scope"), Verdict(ClaimStatus.PAIRED)),
        ([ONE], by_field(TWO), Verdict(ClaimStatus.ALREADY_PAIRED, look=TWO)),
        ([ONE], None, Verdict(ClaimStatus.PAIRED, make=ONE)),
    ],
)
def test_the_table(claimants: list[IssueId], pair: Pair | None, verdict: Verdict) -> None:
    assert judge(claimants, pair, {}) == verdict


def test_an_issue_that_is_paired_elsewhere_is_not_paired_twice() -> None:
    assert judge([ONE], None, {ONE: by_api(ONE)}) == Verdict(ClaimStatus.ALREADY_PAIRED)
    assert judge([ONE], None, {TWO: by_api(TWO)}) == Verdict(ClaimStatus.PAIRED, make=ONE)
