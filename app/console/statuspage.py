"""The public status in shapes that other programs read: Statuspage's JSON, and Atom."""

from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from app.console.render import shown
from app.core.incidents import Impact, State
from app.core.status_page.status import TITLES, Component, PublicStatus, Published, Update

Json = dict[str, Any]
_PAGE = "twinlink"
_STATUS: Final = {
    Impact.NONE: "operational",
    Impact.MINOR: "degraded_performance",
    Impact.MAJOR: "partial_outage",
    Impact.CRITICAL: "major_outage",
}
SENTENCES: Final = {
    Impact.NONE: "No known problem",
    Impact.MINOR: "Minor problem",
    Impact.MAJOR: "Major problem",
    Impact.CRITICAL: "Critical problem",
}
OVER = "This incident is over."
_ATOM = "http://www.w3.org/2005/Atom"


def summary(status: PublicStatus, here: str) -> Json:
    """`summary.json`: the components, what is open, and one word for all."""
    impact = status.impact()
    return {
        "page": _page(status, here),
        "components": [_component(it, status) for it in Component],
        "incidents": [_incident(it, here) for it in status.open_ones],
        "scheduled_maintenances": [],
        "status": {"indicator": impact.value, "description": SENTENCES[impact]},
    }


def incidents(status: PublicStatus, here: str) -> Json:
    """`incidents.json`: the open and the past ones, newest first."""
    found = [_incident(it, here) for it in status.incidents]
    return {"page": _page(status, here), "incidents": found}


def _page(status: PublicStatus, here: str) -> Json:
    return {
        "id": _PAGE,
        "name": "Twinlink",
        "url": here,
        "time_zone": "Etc/UTC",
        "updated_at": _when(status.at),
    }


def _component(it: Component, status: PublicStatus) -> Json:
    return {
        "id": it.value,
        "page_id": _PAGE,
        "name": TITLES[it],
        "status": _STATUS[status.impact(it)],
        "description": None,
        "position": list(Component).index(it) + 1,
        "showcase": True,
        "group": False,
        "group_id": None,
        "only_show_if_degraded": False,
        "updated_at": _when(status.at),
    }


def _incident(it: Published, here: str) -> Json:
    watched = [one.at for one in it.updates if one.state is State.MONITORING]
    return {
        "id": str(it.id),
        "page_id": _PAGE,
        "name": shown(it.title),
        "status": it.state.value,
        "impact": it.impact.value,
        "shortlink": f"{here}#incident-{it.id}",
        "started_at": _when(it.started_at),
        "created_at": _when(it.updates[0].at),
        "updated_at": _when(it.updated_at),
        "monitoring_at": _when(watched[0]) if watched else None,
        "resolved_at": None if it.resolved_at is None else _when(it.resolved_at),
        "incident_updates": [_update(it, one) for one in reversed(told(it))],
        "components": [{"id": it.component.value, "name": TITLES[it.component]}],
    }


def told(it: Published) -> list[Update]:
    """Its updates, and its end where no person wrote of it."""
    ended = it.resolved_at is not None and it.updates[-1].state is not State.RESOLVED
    end = [Update(0, it.updated_at, State.RESOLVED, OVER)] if ended else []
    return [*it.updates, *end]


def _update(it: Published, one: Update) -> Json:
    return {
        "id": f"{it.id}-{one.id}",
        "incident_id": str(it.id),
        "status": one.state.value,
        "body": shown(one.text),
        **{name: _when(one.at) for name in ("created_at", "updated_at", "display_at")},
        "affected_components": [{"code": it.component.value, "name": TITLES[it.component]}],
    }


def atom(status: PublicStatus, here: str) -> bytes:
    """One entry an incident, with its updates, newest first."""
    feed = ET.Element("feed", xmlns=_ATOM)
    newest = max((it.updated_at for it in status.incidents), default=None)
    _put(feed, "id", here)
    _put(feed, "title", "Twinlink status")
    _put(feed, "updated", _when(newest or datetime(2025, 1, 1, tzinfo=UTC)))
    ET.SubElement(feed, "link", rel="self", href=f"{here}/feed.atom")
    ET.SubElement(feed, "link", rel="alternate", type="text/html", href=here)
    _put(ET.SubElement(feed, "author"), "name", "Twinlink")
    for it in status.incidents:
        entry = ET.SubElement(feed, "entry")
        _put(entry, "id", f"{here}#incident-{it.id}")
        _put(entry, "title", shown(it.title))
        _put(entry, "published", _when(it.updates[0].at))
        _put(entry, "updated", _when(it.updated_at))
        ET.SubElement(entry, "link", rel="alternate", href=f"{here}#incident-{it.id}")
        lines = [f"{_when(one.at)} {one.state.value}: {shown(one.text)}" for one in told(it)]
        _put(entry, "content", "\n\n".join(reversed(lines))).set("type", "text")
    text: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _put(parent: ET.Element, name: str, text: str) -> ET.Element:
    made = ET.SubElement(parent, name)
    made.text = text
    return made


def _when(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
