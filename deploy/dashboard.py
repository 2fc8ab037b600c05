"""The Grafana dashboard as code: `make dashboard` writes `deploy/grafana/twinlink.json`.

A test fails when the two differ, or when a panel asks for a metric that does not exist.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent / "grafana" / "twinlink.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_WIDTH: Final = 24
_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4

Query = tuple[str, str]
"""An expression, and the legend of its series."""

# One value each, at the top: what a person on call wants to know first.
_STATS: Final[tuple[tuple[str, str, float], ...]] = (
    ("Unmanaged links removed", "max(twinlink_unmanaged_links_removed_total)", 1),
    ("Open incidents", 'sum(max by (impact) (twinlink_incidents_open{impact!="none"}))', 1),
    ("Guards tripped", "sum(max by (connection) (twinlink_guard_tripped))", 1),
    ("Writes unconfirmed", "max(twinlink_intents_unconfirmed)", 1),
    ("Sites not called", "sum(max by (site) (twinlink_circuit_open))", 1),
    (
        "Changes held",
        'sum(max by (connection) (twinlink_backlog{state="held",connection=~"$connection"}))',
        1,
    ),
)

# Title, unit, queries; two to a row.
_PANELS: Final[tuple[tuple[str, str, tuple[Query, ...]], ...]] = (
    (
        "Deliveries",
        "ops",
        (
            (
                'sum by (site, status) (rate(twinlink_deliveries_total{site=~"$site"}[5m]))',
                "{{site}} {{status}}",
            ),
        ),
    ),
    (
        "Time to store a delivery",
        "s",
        (
            (
                "histogram_quantile(0.5, sum by (le) (rate(twinlink_ingest_seconds_bucket[5m])))",
                "half",
            ),
            (
                "histogram_quantile(0.99, sum by (le) (rate(twinlink_ingest_seconds_bucket[5m])))",
                "99 of 100",
            ),
        ),
    ),
    (
        "Age of the oldest work",
        "s",
        (
            (
                'max by (connection) (twinlink_oldest_seconds{connection=~"$connection"})',
                "{{connection}}",
            ),
        ),
    ),
    (
        "Backlog",
        "short",
        (
            (
                'max by (connection, state) (twinlink_backlog{connection=~"$connection"})',
                "{{connection}} {{state}}",
            ),
        ),
    ),
    (
        "Creations",
        "ops",
        (
            (
                (
                    "sum by (connection, status) (rate(twinlink_mutations_total"
                    '{operation="create",connection=~"$connection"}[5m]))'
                ),
                "{{connection}} {{status}}",
            ),
        ),
    ),
    (
        "Removals",
        "ops",
        (
            (
                (
                    "sum by (connection, status) (rate(twinlink_mutations_total"
                    '{operation="remove",connection=~"$connection"}[5m]))'
                ),
                "{{connection}} {{status}}",
            ),
        ),
    ),
    (
        "The guard: used, and its limit",
        "short",
        (
            (
                'max by (connection, scope) (twinlink_guard_used{connection=~"$connection"})',
                "{{connection}} {{scope}} used",
            ),
            (
                'max by (connection, scope) (twinlink_guard_limit{connection=~"$connection"})',
                "{{connection}} {{scope}} limit",
            ),
        ),
    ),
    (
        "Held",
        "short",
        (
            (
                'max by (connection) (twinlink_backlog{state="held",connection=~"$connection"})',
                "{{connection}} waits for a decision",
            ),
            (
                (
                    "sum by (connection) (increase(twinlink_guard_held_total"
                    '{connection=~"$connection"}[1h]))'
                ),
                "{{connection}} held by the guard within an hour",
            ),
        ),
    ),
    (
        "Rate budget: requests to Jira a second",
        "reqps",
        (
            (
                'sum by (site, endpoint) (rate(twinlink_jira_requests_total{site=~"$site"}[1m]))',
                "{{site}} {{endpoint}}",
            ),
            (
                (
                    "sum by (site) (rate(twinlink_jira_requests_total"
                    '{site=~"$site",status="429"}[1m]))'
                ),
                "{{site}} refused for its rate",
            ),
        ),
    ),
    (
        "Jira's time to answer, 99 of 100",
        "s",
        (
            (
                (
                    "histogram_quantile(0.99, sum by (site, le) (rate("
                    'twinlink_jira_request_seconds_bucket{site=~"$site"}[5m])))'
                ),
                "{{site}}",
            ),
        ),
    ),
    (
        "Circuit: 1 while calls are stopped",
        "short",
        (
            ('max by (site) (twinlink_circuit_open{site=~"$site"})', "{{site}} stopped"),
            ('max by (site) (twinlink_site_locked{site=~"$site"})', "{{site}} wants a CAPTCHA"),
        ),
    ),
    (
        "Incidents not resolved",
        "short",
        (("max by (impact) (twinlink_incidents_open)", "{{impact}}"),),
    ),
    (
        "Workers",
        "short",
        (
            ("max(twinlink_workers)", "alive"),
            ("sum(rate(twinlink_work_claimed_total[5m]))", "pairs claimed a second"),
            ("min(twinlink_redis_up)", "Redis"),
        ),
    ),
    (
        "Links in the ledger",
        "short",
        (
            (
                'max by (connection, state) (twinlink_links{connection=~"$connection"})',
                "{{connection}} {{state}}",
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    return {
        "uid": "twinlink",
        "title": "Twinlink",
        "tags": ["twinlink"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"},
                _variable("connection", "twinlink_backlog"),
                _variable("site", "twinlink_circuit_open"),
            ]
        },
        "panels": [*_stats(), *_graphs()],
    }


def written() -> str:
    """The file as it has to be."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _variable(label: str, metric: str) -> dict[str, Any]:
    query = f"label_values({metric}, {label})"
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": label},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _stats() -> Iterator[dict[str, Any]]:
    width = _WIDTH // len(_STATS)
    for at, (title, expression, alarm) in enumerate(_STATS):
        steps = [{"color": "green", "value": None}, {"color": "red", "value": alarm}]
        yield {
            **_panel(at, title, "stat", ((expression, ""),)),
            "gridPos": {"x": at * width, "y": 0, "w": width, "h": _STAT_HEIGHT},
            "fieldConfig": {
                "defaults": {"thresholds": {"mode": "absolute", "steps": steps}},
                "overrides": [],
            },
            "options": {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}},
        }


def _graphs() -> Iterator[dict[str, Any]]:
    width = _WIDTH // 2
    for at, (title, unit, queries) in enumerate(_PANELS):
        row, column = divmod(at, 2)
        yield {
            **_panel(len(_STATS) + at, title, "timeseries", queries),
            "gridPos": {
                "x": column * width,
                "y": _STAT_HEIGHT + row * _HEIGHT,
                "w": width,
                "h": _HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        }


def _panel(at: int, title: str, kind: str, queries: tuple[Query, ...]) -> dict[str, Any]:
    return {
        "id": at + 1,
        "title": title,
        "type": kind,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for n, (expression, legend) in enumerate(queries)
        ],
    }


if __name__ == "__main__":
    FILE.write_text(written())
    sys.stdout.write(f"{FILE.name} is written\n")
