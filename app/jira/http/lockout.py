"""The lock of a site that asks for a CAPTCHA: no call leaves until a person unlocks the site.

Jira asks for a CAPTCHA after failed attempts to log in, and each further call, with whatever
credentials, renews its lock (jira-facts section 11). So the first such answer stops this process
at once, and is stored for all the others.
"""

from collections.abc import Awaitable, Callable

from app.core.errors import SiteLocked, TransientError
from app.jira.http.access import SiteAccess
from app.jira.http.errors import facts
from app.jira.http.request import Call
from app.jira.http.response import Answer

Tell = Callable[[SiteAccess], Awaitable[None]]
"""Stores that the site is locked. Raises `TransientError` if the caller must try again."""


class Lockout:
    """Of one client. It ends with the client: the next one reads the site as it is stored then."""

    def __init__(self, site: SiteAccess, tell: Tell | None) -> None:
        self._site = site
        self._tell = None if site.locked else tell
        self._locked = site.locked

    def refuse(self, call: Call) -> None:
        """Raises `SiteLocked` where the site is; nothing has left then."""
        if self._locked:
            raise SiteLocked("captcha_required", facts=facts(call))

    async def retell(self) -> None:
        """Once more what could not be stored."""
        if self._locked:
            await self._say()

    async def heed(self, answer: Answer) -> None:
        """Lock the site for every process where an answer says that it wants a person to log in."""
        if answer.locked and not self._locked:
            self._locked = True
            await self._say()

    async def _say(self) -> None:
        if self._tell is None:
            return
        try:
            await self._tell(self._site)
        except TransientError:
            return
        self._tell = None
