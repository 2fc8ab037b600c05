"""What a person reads where a command speaks to Jira itself, and Jira refuses or is silent."""

import pytest

from app.cli.output.error_mapping import expected
from app.core.errors import PermanentError, TransientError, TwinlinkError


@pytest.mark.parametrize(
    ("error", "message", "first"),
    [
        (
            PermanentError("forbidden", facts={"site": "left", "endpoint": "webhooks"}),
            "left does not permit that to our account (forbidden)",
            "its webhooks are for an account with the Administer Jira permission there",
        ),
        (
            PermanentError("unauthorized", facts={"site": "left", "endpoint": "issue"}),
            "left refuses our credentials (unauthorized)",
            "twinlink site check left",
        ),
        (
            TransientError("timeout", facts={"site": "right"}),
            "right gave no usable answer (timeout)",
            "twinlink site check right",
        ),
    ],
)
def test_the_site_and_the_remedy_are_named(error: TwinlinkError, message: str, first: str) -> None:
    said = expected(error)
    assert said.message == message
    assert said.details[0] == first


def test_what_is_of_no_site_keeps_its_words() -> None:
    assert expected(PermanentError("bad_id", "webhook id")).message == "bad_id: webhook id"
