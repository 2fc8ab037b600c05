"""Where a Jira's REST API is, from the address that a person pastes."""

import re
from urllib.parse import urlsplit

_PAGES = re.compile(r"/(browse|secure|projects|plugins|issues|login\.jsp|rest)(/.*)?$")


def base_url(pasted: str) -> str | None:
    """Without the page that happened to be open; `https` unless it says otherwise. None for what is
    no address."""
    text = pasted.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        hostname = parts.hostname
    except ValueError:
        return None
    if not hostname or parts.scheme not in {"http", "https"}:
        return None
    path = _PAGES.sub("", parts.path).rstrip("/")
    if hostname.endswith(".atlassian.net"):
        path = ""
    return f"{parts.scheme}://{parts.netloc}{path}"
