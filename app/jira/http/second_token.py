"""The token that takes over when Jira refuses the first, while a person exchanges one for the
other: both are valid for some time, so no call is lost to the exchange."""

from time import monotonic

from app.core.errors import TransientError, TwinlinkError
from app.jira.http.access import SiteAccess
from app.jira.http.lockout import Tell
from app.jira.http.sign_in import REFUSED

AGAIN_SECONDS = 60.0
"""Between two attempts: each asks Jira with both tokens, and failed log-ins lead to a CAPTCHA."""


class SecondToken:
    """Of one client. *tell* looks at both tokens and stores the second as the first where only that
    one is good; then the site has another version, and the next client uses it."""

    def __init__(self, site: SiteAccess, tell: Tell | None) -> None:
        self._site = site
        self._tell = tell if site.auth.successor is not None else None
        self._not_before = 0.0

    async def heed(self, error: TwinlinkError) -> None:
        if self._tell is None or error.code not in REFUSED or monotonic() < self._not_before:
            return
        self._not_before = monotonic() + AGAIN_SECONDS
        try:
            await self._tell(self._site)
        except TransientError:
            return
