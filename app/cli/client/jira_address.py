"""A Jira by the address that a person pastes: where its REST API is, and which deployment it is."""

import re
from urllib.parse import urlsplit

import httpx

from app.cli.output.errors import CommandError

_SECONDS = 15.0
_PAGES = re.compile(r"/(browse|secure|projects|plugins|issues|login\.jsp|rest)(/.*)?$")
_DEPLOYMENTS = {"cloud": "cloud", "server": "datacenter"}


def base_url(pasted: str) -> str:
    """Without the page that happened to be open; `https` unless it says otherwise."""
    text = pasted.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(f"{pasted!r} is no address; write https://jira.example.org")
    path = _PAGES.sub("", parts.path).rstrip("/")
    if parts.hostname.endswith(".atlassian.net"):
        path = ""
    return f"{parts.scheme}://{parts.netloc}{path}"


def deployment(base: str) -> str | None:
    """`cloud` or `datacenter`, as the Jira says itself without a token; None where it does not.

    Raises `CommandError` where nothing answers, or something else."""
    try:
        answer = httpx.get(f"{base}/rest/api/2/serverInfo", timeout=_SECONDS)
        said = answer.json() if answer.is_success else {}
    except httpx.HTTPError as error:
        raise CommandError(f"{base} does not answer: {type(error).__name__}") from None
    except ValueError:
        raise CommandError(f"what answers at {base} is not Jira's REST API") from None
    kind = said.get("deploymentType") if isinstance(said, dict) else None
    if kind is None and (urlsplit(base).hostname or "").endswith(".atlassian.net"):
        return "cloud"
    return _DEPLOYMENTS.get(str(kind).lower())
