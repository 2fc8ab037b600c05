"""Where a site reaches us, with the command line's words for what is no such address."""

from app.cli.output.errors import UsageError
from app.jira.webhooks import address
from app.jira.webhooks.address import unreachable_reason

__all__ = ["completed", "unreachable_reason"]


def completed(url: str, site: str) -> str:
    """*url* with the path at which this site's deliveries are taken. Raises `UsageError`."""
    try:
        return address.completed(url, site)
    except address.NoAddress as fault:
        raise UsageError(f"{url} {fault}") from None
