"""Failed authentication, counted by the address that it comes from.

After a burst of failures an address has to wait for the next guess to be looked at. Others behind
the same address lock out no valid token: a token of ours has 256 random bits, which no number of
guesses finds, so it is always looked up; and the administrator's token of the environment, which a
person chose, is still compared from where it was used before. A token of ours that is no longer
valid is counted apart from guesses: a script that goes on with one delays no other token.

Each process counts for itself: a guesser has as many bursts as there are API processes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

BURST = 20
"""Failures in a row before an address has to wait: a script with a stale token notices first."""
SECONDS = 3.0
"""Until one more failure is allowed, once the burst is used up."""
_MOST = 10_000
"""Addresses and accepted tokens that are remembered; the one idle for longest is dropped first."""


class Attempts:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Until when the failures so far are paid off.
        self._owed: OrderedDict[str, float] = OrderedDict()
        self._accepted: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def wait(self, source: str) -> float:
        """Seconds until another failure from there is allowed; 0 where it is now."""
        owed = self._owed.get(source, 0.0) - self._clock()
        return max(0.0, owed - (BURST - 1) * SECONDS)

    def failed(self, source: str) -> None:
        """Beyond the burst no debt grows: once it stops, an address is served within seconds."""
        now = self._clock()
        owed = max(self._owed.pop(source, now), now) + SECONDS
        self._owed[source] = min(owed, now + BURST * SECONDS)
        _bound(self._owed)

    def accepted(self, source: str, digest: bytes) -> None:
        self._accepted.pop((source, digest), None)
        self._accepted[source, digest] = None
        _bound(self._accepted)

    def was_accepted(self, source: str, digest: bytes) -> bool:
        """This very token was valid from there: asking again is no guess."""
        return (source, digest) in self._accepted


def source_of(client: tuple[str, int] | None) -> str:
    """The address, of IPv6 the network that one customer has whole."""
    if client is None:
        return ""
    try:
        ip = ip_address(client[0].partition("%")[0])
    except ValueError:
        return client[0][:64]
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ip_network((int(ip), 64), strict=False))
    return str(ip)


def _bound(kept: OrderedDict[str, float] | OrderedDict[tuple[str, bytes], None]) -> None:
    while len(kept) > _MOST:
        kept.popitem(last=False)
