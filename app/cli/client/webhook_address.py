"""Where a site reaches us, with the command line's words for what is no such address."""

from app.cli.output.errors import UsageError
from app.sync.runtime.refusals import Refused
from app.sync.sites import webhook_address
from app.sync.sites.webhook_address import unreachable_reason

__all__ = ["completed", "unreachable_reason"]


def completed(url: str, site: str) -> str:
    """*url* with the path at which this site's deliveries are taken. Raises `UsageError`."""
    try:
        return webhook_address.completed(url, site)
    except Refused as refused:
        raise UsageError(f"{url} {'; '.join(it.detail for it in refused.problems)}") from None
