"""Claims on one issue: the table of `twinclaims` row by row."""

import pytest

from app.core.links import IssueId
from app.core.twin_claims import AMBIGUOUS, Pair, Verdict, judge

ONE, TWO, SIX = IssueId("1"), IssueId("2"), IssueId("6")


def by_field(claimant: IssueId, suspended: str | None = None) -> Pair:
    return Pair(9, claimant, by_field=True, suspended=suspended)


def by_api(claimant: IssueId) -> Pair:
    return Pair(9, claimant, by_field=False, suspended=None)


@pytest.mark.parametrize(
    ("claimants", "pair", "verdict"),
    [
        ([ONE], by_api(ONE), Verdict("already_paired")),
        ([ONE], by_api(SIX), Verdict("already_paired")),
        ([ONE, TWO], by_api(ONE), Verdict("already_paired")),
        ([ONE, TWO], None, Verdict("ambiguous")),
        ([ONE, TWO], by_field(ONE), Verdict("ambiguous", rest=9)),
        ([ONE, TWO], by_field(ONE, AMBIGUOUS), Verdict("ambiguous")),
        ([ONE, TWO], by_field(ONE, "moved_out_of_scope"), Verdict("ambiguous", rest=9)),
        ([ONE, TWO], by_field(SIX), Verdict("ambiguous", look=SIX)),
        ([ONE], by_field(ONE), Verdict("paired")),
        ([ONE], by_field(ONE, AMBIGUOUS), Verdict("paired", resume=9)),
        ([ONE], by_field(ONE, "moved_out_of_scope"), Verdict("paired")),
        ([ONE], by_field(TWO), Verdict("already_paired", look=TWO)),
        ([ONE], None, Verdict("paired", make=ONE)),
    ],
)
def test_the_table(claimants: list[IssueId], pair: Pair | None, verdict: Verdict) -> None:
    assert judge(claimants, pair, {}) == verdict


def test_an_issue_that_is_paired_elsewhere_is_not_paired_twice() -> None:
    assert judge([ONE], None, {ONE: by_api(ONE)}) == Verdict("already_paired")
    assert judge([ONE], None, {TWO: by_api(TWO)}) == Verdict("paired", make=ONE)
