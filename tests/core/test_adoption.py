"""Whose side a link was written by, and which pairs that makes ours."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from app.core.accounts import disguised, keyed
from app.core.adoption import Adopt, Skip, Window, Wrote, judge, wrote
from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId, IssueId, IssueKey, IssueRef, Link, LinkId, ProjectKey, Side
from tests.core.cases import AT, BLOCKS, RELATES

SALT = b"of this installation"
OTHER_SYNC, ANN = AccountId("sync"), AccountId("ann")
P1, P2 = IssueRef(IssueId("11"), IssueKey("P-1")), IssueRef(IssueId("12"), IssueKey("P-2"))
LINK = Link(LinkId("80"), BLOCKS.id, P1, P2)
WINDOW = Window(keyed(OTHER_SYNC, SALT), AT + timedelta(minutes=10), AT + timedelta(minutes=20))

Told = tuple[float, AccountId | None, bool]


def views(
    *told: Told, whole: bool = True, text: str = "This issue {} {}"
) -> dict[IssueId, IssueView]:
    """Both ends tell of the link: minute, who, made (or removed)."""

    def end(own: IssueRef, other: IssueRef, wording: str) -> IssueView:
        said = text.format(wording, other.key)
        changes = tuple(
            LinkChange(AT + timedelta(minutes=minute), who, made, other.key, said, str(number))
            for number, (minute, who, made) in enumerate(told)
        )
        view = IssueView(own, ProjectKey("P"), (LINK,), changes=changes, changes_complete=whole)
        return disguised(view, SALT)

    return {P1.id: end(P1, P2, BLOCKS.outward), P2.id: end(P2, P1, BLOCKS.inward)}


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ([(15, OTHER_SYNC, True)], Wrote.INSIDE),
        ([(10, OTHER_SYNC, True)], Wrote.INSIDE),
        ([(20, OTHER_SYNC, True)], Wrote.OUTSIDE),
        ([(5, OTHER_SYNC, True)], Wrote.OUTSIDE),
        ([(25, OTHER_SYNC, True)], Wrote.OUTSIDE),
        ([(15, ANN, True)], Wrote.ANOTHER),
        ([(5, ANN, True), (6, ANN, False), (15, OTHER_SYNC, True)], Wrote.INSIDE),
        ([(15, OTHER_SYNC, True), (16, ANN, False), (17, ANN, True)], Wrote.ANOTHER),
        # What stands was made after the window, by the same hand.
        ([(15, OTHER_SYNC, True), (25, ANN, False), (26, OTHER_SYNC, True)], Wrote.OUTSIDE),
        ([(15, OTHER_SYNC, True), (16, ANN, True)], Wrote.UNKNOWN),
        ([(15, None, True)], Wrote.UNKNOWN),
        ([], Wrote.UNKNOWN),
    ],
)
def test_what_one_side_says(told: list[Told], word: Wrote) -> None:
    assert wrote(views(*told), LINK, (BLOCKS, RELATES), WINDOW) is word


def test_a_changelog_that_is_cut_or_missing_says_nothing() -> None:
    told: Told = (15, OTHER_SYNC, True)
    assert wrote(views(told, whole=False), LINK, (BLOCKS,), WINDOW) is Wrote.UNKNOWN
    one_end = {P1.id: views(told)[P1.id]}
    assert wrote(one_end, LINK, (BLOCKS,), WINDOW) is Wrote.UNKNOWN
    half = {**views(told), P2.id: replace(views(told)[P2.id], changes_complete=False)}
    assert wrote(half, LINK, (BLOCKS,), WINDOW) is Wrote.UNKNOWN


def test_a_sentence_that_cannot_be_read_says_nothing() -> None:
    odd = views((15, OTHER_SYNC, True), text="(nothing that we know) {1}")
    assert wrote(odd, LINK, (BLOCKS,), WINDOW) is Wrote.UNKNOWN


OUTCOMES = {
    (Wrote.INSIDE, Wrote.ANOTHER): Adopt(Side.LEFT),
    (Wrote.ANOTHER, Wrote.INSIDE): Adopt(Side.RIGHT),
    (Wrote.INSIDE, Wrote.INSIDE): Skip("ambiguous"),
    (Wrote.INSIDE, Wrote.OUTSIDE): Skip("ambiguous"),
    (Wrote.OUTSIDE, Wrote.OUTSIDE): Skip("ambiguous"),
    (Wrote.OUTSIDE, Wrote.ANOTHER): Skip("outside_window"),
    (Wrote.ANOTHER, Wrote.ANOTHER): Skip("not_written"),
    **{(it, Wrote.UNKNOWN): Skip("author_unknown") for it in Wrote},
}


@pytest.mark.parametrize(("left", "right"), list(product(Wrote, Wrote)))
def test_what_follows_for_the_pair(left: Wrote, right: Wrote) -> None:
    expected = OUTCOMES.get((left, right)) or OUTCOMES[right, left]
    assert judge(left, right) == expected


def test_an_account_is_kept_so_that_nobody_can_read_it() -> None:
    assert keyed("ann", SALT) == keyed("ann", SALT)
    assert keyed("ann", SALT) != keyed("ann", b"of another installation")
    assert "ann" not in keyed("ann", SALT)
    (change,) = views((1, ANN, True))[P1.id].changes or ()
    assert change.author == keyed(ANN, SALT)
