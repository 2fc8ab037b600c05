"""Apprise behind one call: mail, chat, webhooks. The only module that knows it.

Its log is silenced: it quotes the URLs that it cannot use, and these hold passwords.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.core.errors import PermanentError, TransientError

SECONDS = 20.0

Carry = Callable[[str, str, str], Awaitable[None]]
"""Sends to a URL a title and a body. Raises `PermanentError` for a URL that names no service,
`TransientError` for everything that may work later."""


async def carry(url: str, title: str, body: str) -> None:
    """In a thread, which a time-out leaves to its own, shorter ones."""
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.to_thread(_send, url, title, body)
    except TimeoutError:
        raise TransientError("notification_timeout") from None


def _send(url: str, title: str, body: str) -> None:
    import apprise  # noqa: PLC0415 - half a second, and most processes never send

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise.instantiate(url)
    if service is None:
        raise PermanentError("notification_url")
    try:
        done = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:
        raise TransientError("notification_broke", type(error).__name__) from None
    if not done:
        raise TransientError("notification_refused")
