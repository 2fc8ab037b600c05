"""Times as Jira writes them: milliseconds, an offset without a colon, in the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import formatdate
from functools import lru_cache
from zoneinfo import ZoneInfo

# Zones without daylight saving, so that they work where no zone database is installed.
FIXED = {"Etc/UTC": 0, "UTC": 0, "Asia/Kolkata": 330, "Asia/Tokyo": 540}


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    minutes = FIXED.get(name)
    if minutes is None:
        return ZoneInfo(name)
    return timezone(timedelta(minutes=minutes)) if minutes else UTC


def stamp(at: int, zone_name: str) -> str:
    """`2019-07-13T16:28:19.215-0700` of a time in milliseconds."""
    second, offset = _second(at // 1000, zone_name)
    return f"{second}.{at % 1000:03d}{offset}"


@lru_cache(maxsize=65536)
def _second(at: int, zone_name: str) -> tuple[str, str]:
    made = datetime.fromtimestamp(at, zone(zone_name))
    return f"{made:%Y-%m-%dT%H:%M:%S}", f"{made:%z}"


@lru_cache(maxsize=4)
def http_date(seconds: int) -> str:
    """The `Date` header: whole seconds."""
    return formatdate(seconds, usegmt=True)
