"""The address that a site's webhook is given: completed, or refused."""

import pytest

from app.cli.client.webhook_address import completed, unreachable_reason
from app.cli.output.errors import UsageError

CLOUD = "https://acme.atlassian.net"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://t.example.org", "https://t.example.org/webhooks/jira/left"),
        ("https://t.example.org/", "https://t.example.org/webhooks/jira/left"),
        ("https://t.example.org/sync/", "https://t.example.org/sync/webhooks/jira/left"),
        (
            "https://t.example.org/webhooks/jira/left",
            "https://t.example.org/webhooks/jira/left",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/webhooks/jira/left"),
    ],
)
def test_an_address_is_completed(given: str, wanted: str) -> None:
    assert completed(given, "left") == wanted


@pytest.mark.parametrize(
    "given",
    [
        "twinlink.example.org",
        "ftp://twinlink.example.org",
        "https://",
        "https://t.example.org/webhooks/jira/right",
        "https://t.example.org/webhooks",
        "https://t.example.org?x=1",
    ],
)
def test_what_would_never_be_taken_is_refused(given: str) -> None:
    with pytest.raises(UsageError):
        completed(given, "left")


@pytest.mark.parametrize(
    ("address", "site", "deployment", "refused"),
    [
        ("http://127.0.0.1:8080", CLOUD, "cloud", True),
        ("http://localhost:8080", CLOUD, "cloud", True),
        ("http://10.0.0.7:8080", CLOUD, "cloud", True),
        ("http://twinlink.lan", CLOUD, "cloud", True),
        ("https://twinlink.example.org", CLOUD, "cloud", False),
        ("http://127.0.0.1:8080", "https://jira.example.org", "datacenter", True),
        ("http://10.0.0.7:8080", "https://jira.example.org", "datacenter", False),
        # Sandboxes and a Jira on the same machine.
        ("http://127.0.0.1:8080", "http://127.0.0.1:9000", "cloud", False),
    ],
)
def test_an_address_that_jira_cannot_call_is_known(
    address: str, site: str, deployment: str, refused: bool
) -> None:
    why = unreachable_reason(address, site_url=site, deployment=deployment)
    assert (why is not None) is refused
