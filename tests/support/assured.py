"""A client whose site was just checked, for tests that count or break other calls."""

from time import monotonic

from app.jira.client import JiraClient
from app.jira.http.options import utc_now


def assured(client: JiraClient) -> JiraClient:
    """*client* as if a check of its site had succeeded this moment: writes leave at once."""
    client._assurance._held = (monotonic(), utc_now())
    return client
