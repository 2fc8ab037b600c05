"""A person picks link types from the proposal, or maps them by hand; mistakes are named."""

import pytest

from app.cli.client.type_map import picked
from app.cli.output.errors import CommandError
from app.core.connection.type_proposal import proposal, sentences
from tests.core.test_type_proposal import BLOCKS, RELATES, kind

CAUSES = kind("Causes", "causes", "is caused by")
SITES = (
    [BLOCKS, RELATES, CAUSES],
    [BLOCKS, RELATES, kind("Root cause", "leads to", "comes from")],
)


def _picked(text: str) -> list[str]:
    return list(sentences(picked(text, proposal(*SITES)[0], *SITES)))


def test_a_person_picks_from_the_proposal_or_maps_by_hand() -> None:
    assert _picked("blocks") == ["Blocks = Blocks"]
    assert _picked("Relates, Causes=root cause:reversed") == [
        "Relates = Relates",
        "Causes = Root cause reversed",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Blocs", "did you mean 'Blocks'?"),
        ("Causes=Rot cause", "did you mean 'Root cause'?"),
        ("Causes", "Causes=NAME"),
        ("Blocks, Blocks=Relates", "named twice"),
        (" , ", "name at least one"),
    ],
)
def test_a_pick_that_cannot_be_says_what_would(text: str, wanted: str) -> None:
    with pytest.raises(CommandError) as refused:
        _picked(text)
    assert wanted in " ".join([refused.value.message, *refused.value.details])
