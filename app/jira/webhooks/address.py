"""Where a site reaches us: the address that its webhook is given."""

import ipaddress
from urllib.parse import urlsplit

_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


class NoAddress(ValueError):
    """Its text says what is wrong with the address, as the rest of a sentence about it."""


def completed(url: str, site: str) -> str:
    """*url* with the path at which this site's deliveries are taken; it may have it already, or
    a prefix of a proxy's. Raises `NoAddress`."""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        hostname = None
    if not hostname or parts.scheme not in {"http", "https"}:
        raise NoAddress("is no address: write https://HOST, or https://HOST/PREFIX")
    if parts.query or parts.fragment:
        raise NoAddress("has a query or a fragment, which no webhook address may have")
    path = f"/webhooks/jira/{site}"
    base = url.rstrip("/")
    if base.endswith(path):
        return base
    if "/webhooks" in parts.path:
        raise NoAddress(
            f"is not where deliveries of {site} are taken: leave the path out, {path} is appended"
        )
    return base + path


def unreachable_reason(url: str, *, site_url: str, deployment: str) -> str | None:
    """Why Jira at *site_url* cannot call *url*; None where nothing is known against it.

    A site on this machine reaches this machine's own address, and a Data Center may be in the same
    private network; Jira Cloud is in neither."""
    host, there = urlsplit(url).hostname or "", urlsplit(site_url).hostname or ""
    if _is_loopback(host) and not _is_loopback(there):
        return f"{host} is this machine's own address: {there} cannot call it"
    if deployment == "cloud" and _is_private(host) and not _is_private(there):
        return f"{host} is an address of a private network: Jira Cloud cannot call it"
    return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback or host == "0.0.0.0"  # noqa: S104 - compared


def _is_private(host: str) -> bool:
    address = _address(host)
    if address is None:
        return "." not in host or host.endswith(_LOCAL_NAMES)
    return address.is_private


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
