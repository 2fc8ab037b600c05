"""The address guard: a site's name may not lead into the network that we run in.

The administrator types the base URL, and the owner of its DNS decides where it points. So the check
is on the addresses themselves: a connection resolves the name once, checks the addresses, and
connects to a checked one, while TLS still verifies the name. `TWINLINK_ALLOW_PRIVATE_SITES` turns
the check off, for sites inside the network.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

import httpcore
import httpx

from app.core.errors import PermanentError

_CONNECTIONS = httpx.Limits(max_connections=50, max_keepalive_connections=50, keepalive_expiry=4.0)
"""Idle connections close before the 5 s after which common servers close them: a write on a
connection that the server closes at the same moment has an unknown outcome."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "::/96",  # IPv4-compatible, long out of use
        "::ffff:0:0:0/96",  # translated IPv4
        "64:ff9b:1::/48",  # a network's own NAT64
        "fec0::/10",  # site-local, out of use
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "192.0.0.0/24",  # protocols; Oracle's cloud answers metadata here
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # Azure's own services, seen by every machine there
    )
)
"""Networks that Python counts as global, but in which no site can be."""


def check_base_url(url: str, *, allow_private: bool) -> list[str]:
    """Codes for the faults of a base URL; empty if it may be used.

    Checks only the text. Every connection checks the addresses to which the name resolves.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        httpx.URL(url)  # a URL that the client cannot use is found here, not at the first call
    except (ValueError, httpx.InvalidURL):
        return ["not_a_url"]
    problems = []
    if parts.scheme not in ({"https", "http"} if allow_private else {"https"}):
        problems.append("scheme")
    if not host or any(char.isspace() for char in url) or not url.isprintable():
        problems.append("not_a_url")
    if parts.username is not None or parts.password is not None:
        problems.append("userinfo")
    if parts.query or parts.fragment:
        problems.append("query")
    if host and not allow_private and _named_private(host):
        problems.append("private_address")
    return problems


def is_public(address: str) -> bool:
    """Whether an IP address is public. Addresses that embed an IPv4 address (mapped, 6to4, NAT64)
    count as that address; an address with a scope id is never public."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    inside = any(ip in network for network in _INSIDE if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not inside


@dataclass(frozen=True, slots=True)
class Route:
    """The way out to the sites. `proxy` takes https, except for hosts in `direct` and below;
    `guarded`: it may not be at a private address itself. `authorities` are certificates in PEM."""

    allow_private: bool = False
    ca_file: str | None = None
    authorities: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    direct: tuple[str, ...] = ()
    guarded: bool = False


def guarded_transport(route: Route) -> httpx.AsyncBaseTransport:
    """A pooled transport; with the guard unless private addresses are allowed. Where a proxy is
    set, it resolves the name itself, past the guard; what goes directly is guarded still."""
    trusted = _trusted(route.ca_file, route.authorities)
    transport = httpx.AsyncHTTPTransport(verify=trusted, limits=_CONNECTIONS)
    if not route.allow_private:
        _guard(transport)
    if route.proxy is None:
        return transport
    proxy = httpx.Proxy(route.proxy, ssl_context=_secured(route.proxy, trusted))
    proxied = httpx.AsyncHTTPTransport(verify=trusted, limits=_CONNECTIONS, proxy=proxy)
    if route.guarded:
        _guard(proxied)
    return ThroughProxy(proxied, transport, route.direct)


def _guard(transport: httpx.AsyncHTTPTransport) -> None:
    """httpx offers no argument for this; a test holds that the guard is really asked."""
    pool = transport._pool
    pool._network_backend = GuardedBackend(pool._network_backend)


def _secured(proxy: str, trusted: ssl.SSLContext) -> ssl.SSLContext | None:
    """httpx takes none for a proxy that is spoken to in the clear."""
    return trusted if urlsplit(proxy).scheme == "https" else None


@lru_cache(maxsize=64)
def _trusted(ca_file: str | None, authorities: str | None) -> ssl.SSLContext:
    """Whom TLS believes: the public authorities, and those of *ca_file* and of the site beside
    them. Kept: reading the authorities takes longer than a call."""
    context = httpx.create_ssl_context()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    if authorities:
        context.load_verify_locations(cadata=authorities)
    return context


def readable_authorities(text: str) -> bool:
    """Whether *text* has certificates in PEM, and nothing that TLS cannot read."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


class ThroughProxy(httpx.AsyncBaseTransport):
    """https by a proxy, but for the hosts that are reached directly."""

    def __init__(
        self,
        proxied: httpx.AsyncBaseTransport,
        straight: httpx.AsyncBaseTransport,
        direct: Sequence[str],
    ) -> None:
        self._proxied, self._straight = proxied, straight
        self._direct = tuple(name.lower().strip(".") for name in direct)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way = self._proxied if self._is_proxied(request.url) else self._straight
        return await way.handle_async_request(request)

    async def aclose(self) -> None:
        await self._proxied.aclose()
        await self._straight.aclose()

    def _is_proxied(self, url: httpx.URL) -> bool:
        host = url.host.lower().rstrip(".")
        below = any(host == name or host.endswith(f".{name}") for name in self._direct)
        return url.scheme == "https" and not below


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name, refuses private addresses, and connects to the address that it checked."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("resolving") from None
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of *host*, in the order to try. One private address refuses them all:
    a name that mixes both is an attack or a mistake."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter of a name that DNS cannot spell
        raise httpcore.ConnectError(type(error).__name__) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(is_public(address) for address in addresses):
        raise PermanentError("address_refused", "the site's name leads to a private address")
    return addresses


def _named_private(host: str) -> bool:
    """A literal address that is not public, or a name that only makes sense inside."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)
