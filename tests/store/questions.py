"""What the service asks of PostgreSQL again and again, and what people ask: every list with every
filter. By name, each a call with a connection."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from app.store.alerts import absent_workers, incident_conditions
from app.store.guard import counts
from app.store.links import discoveries
from app.store.monitor import candidates, progress
from app.store.queue import resyncs, work
from app.store.upkeep import duties, purging
from app.store.upkeep.duties import WAITS_FOR, Pace
from app.store.views import (
    audit,
    deliveries,
    failures,
    figures,
    incidents,
    intents,
    links,
    plans,
    status,
    twins,
)
from app.store.views import resyncs as resyncs_shown
from app.store.writes import written_links
from tests.store.plans import Call, Conn

NOW = datetime.now(UTC)
PAGE = 50

AUDIT: dict[str, dict[str, Any]] = {
    "none": {},
    "connection": {"connection": "ab"},
    "issue": {"issue": "A-77"},
    "issue of a connection": {"issue": "A-77", "connection": "ab"},
    "no such issue": {"issue": "NO-1"},
    "cause": {"cause": "webhook:77"},
    "no such cause": {"cause": "webhook:none"},
    "failed": {"status": "failed"},
    "link": {"link_id": 77},
    "link of a site": {"link_id": 77, "site": "right"},
    "no such site": {"site": "quiet"},
    "site": {"site": "right"},
    "confined": {"within": [2]},
    "confined to both": {"within": [1, 2], "issue": "A-77"},
    "no such connection": {"connection": "ef"},
    "no such as is confined": {"connection": "ab", "within": [2]},
    "adopted": {"operation": "adopt"},
    "no such released": {"operation": "release"},
    "without effect": {"status": "noop"},
    "revision": {"connection": "ab", "revision": 1},
    "no such revision": {"connection": "ab", "revision": 2},
}
LINKS: dict[str, links.Filters] = {
    "none": links.Filters(),
    "state": links.Filters(state="orphaned"),
    "most": links.Filters(state="managed"),
    "no such suspended": links.Filters(state="suspended"),
    "no such unconfirmed": links.Filters(state="unconfirmed"),
    "issue": links.Filters(issue="B-77"),
    "issue in a state": links.Filters(state="managed", issue="A-79"),
    "released issue": links.Filters(state="released", issue="A-151"),
    "no such issue": links.Filters(issue="NO-1"),
    "type": links.Filters(type="Relates"),
    "type by id": links.Filters(type="1"),
}
DELIVERIES: dict[str, dict[str, Any]] = {
    "none": {},
    "no such site": {"site": "quiet"},
    "site": {"site": "left"},
    "few": {"kind": "issue_deleted"},
    "no such kind": {"kind": "issue_created"},
    "many": {"kind": "link_created"},
    "late": {"since": NOW - timedelta(minutes=5)},
    "no such late": {"since": NOW + timedelta(hours=1)},
}


Condition = Callable[[Conn, datetime], Awaitable[object]]


class _Guarded:
    def __init__(self, connection_id: int) -> None:
        self.id = connection_id
        self.guard_reset_at = NOW - timedelta(days=9)


async def _audit(filters: audit.Filters, after: int | None, conn: Conn) -> object:
    return await audit.page(conn, filters, after=after, limit=PAGE, newest=after is None)


async def _links(filters: links.Filters, after: str, conn: Conn) -> object:
    return await links.page(conn, 2, filters, after=after, limit=PAGE, confined=False)


async def _deliveries(given: dict[str, Any], conn: Conn) -> object:
    asked = {"within": None, "site": None, "kind": None, "since": None, **given}
    return await deliveries.page(conn, **asked, before=2**62, limit=PAGE)


async def _condition(condition: Condition, conn: Conn) -> object:
    return await condition(conn, NOW)


def lists() -> dict[str, Call]:
    """Pages that people ask for. They touch as many rows as they show, and the rows beside them."""
    found: dict[str, Call] = {}
    for name, given in AUDIT.items():
        filters = audit.Filters(**given)
        found[f"audit, {name}"] = partial(_audit, filters, 0)
        found[f"audit newest, {name}"] = partial(_audit, filters, None)
    for name, asked in LINKS.items():
        found[f"links, {name}"] = partial(_links, asked, "")
        found[f"links further on, {name}"] = partial(_links, asked, "0:9000")
    for name, given in DELIVERIES.items():
        found[f"deliveries, {name}"] = partial(_deliveries, given)
    found |= {
        "twins": lambda conn: twins.page(conn, 1, issue=None, after=0, limit=PAGE, confined=False),
        "twins of an issue": lambda conn: twins.page(
            conn, 1, issue="B-500", after=0, limit=PAGE, confined=False
        ),
        "twins by keys": lambda conn: twins.by_keys(
            conn, 1, ["A-2", "B-500", "NO-1"], confined=False
        ),
        "failures": lambda conn: failures.page(
            conn, within=None, connection=None, after=0, limit=PAGE
        ),
        "failures of one": lambda conn: failures.page(
            conn, within=[1], connection="ab", after=0, limit=PAGE
        ),
        "intents": lambda conn: intents.page(
            conn, within=None, connection=None, unconfirmed=True, after=0, limit=PAGE
        ),
        "resyncs": lambda conn: resyncs_shown.page(
            conn, within=None, connection="ab", status=None, before=2**62, limit=PAGE
        ),
        "plans": lambda conn: plans.page(
            conn, within=None, connection="ab", status=None, before=2**62, limit=PAGE
        ),
        "incidents": lambda conn: incidents.page(
            conn, within=None, connection="ab", states=None, before=2**62, limit=PAGE
        ),
    }
    return found


def hot() -> dict[str, Call]:
    """What workers and probes do, event by event or by the clock. Some read what is to do: the
    dirty pairs, a window's removals."""
    paces = [Pace(name, 60.0, 1.0) for name in WAITS_FOR]
    found: dict[str, Call] = {
        "claim": lambda conn: work.claim(conn, now=NOW, size=PAGE, lease=60),
        "claim of discoveries": lambda conn: discoveries.claim(conn, now=NOW, size=PAGE, lease=60),
        "claim of a resync": lambda conn: resyncs.claim(conn, now=NOW, lease=60),
        "duties": lambda conn: duties.take(conn, paces, NOW),
        "late": lambda conn: absent_workers.late(conn, NOW),
        "status": lambda conn: status.of_connections(conn, [1, 2], NOW),
        "unconfirmed": status.unconfirmed,
        "figures of links": figures.links,
        "windows": lambda conn: counts.of_windows(conn, [_Guarded(1), _Guarded(2)], NOW),
        "sites' windows": lambda conn: counts.of_sites(conn, [1, 2], NOW),
        "open writes of twins": lambda conn: written_links.open_for_twins(conn, 1, [2, 4]),
        "monitor, anything": lambda conn: candidates.anything(conn, NOW),
        "monitor, claim": lambda conn: progress.claim(
            conn, now=NOW, size=PAGE, lease=timedelta(minutes=1)
        ),
        "purge of deliveries": lambda conn: purging.deliveries(conn, NOW, PAGE),
        "purge of intents": lambda conn: purging.intents(conn, NOW, PAGE),
        "purge of dry runs": lambda conn: purging.dry_runs(conn, NOW, PAGE),
        "purge of minutes": lambda conn: purging.write_minutes(conn, NOW, PAGE),
    }
    for condition in incident_conditions.ALL:
        found[f"incident, {condition.__name__}"] = partial(_condition, condition)
    return found
