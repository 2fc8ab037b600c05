"""The service's Prometheus metrics. Labels are names that an administrator gave, never issues.

What only the database has is the installation's: the API refreshes and exports it, so that a sum
over all processes counts nothing twice. Everything else is the process's own.
"""

import math
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

# A second series beside each counter, of which no alert of ours makes use.
disable_created_metrics()  # type: ignore[no-untyped-call]

_INGEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_JIRA_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    """One process's metrics on a registry of their own, constructed in `wiring`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._installation: set[str] = set()
        self._ingest()
        self._work()
        self._jira()
        self._links()
        self._whole()

    def render(self) -> bytes:
        """The text that the API's `/metrics` answers."""
        return generate_latest(self.registry)

    def render_process(self) -> bytes:
        """The text that a worker's `/metrics` answers: without the installation's gauges."""
        return generate_latest(_Without(self.registry, self._installation))

    def _ingest(self) -> None:
        self.deliveries = self._counter(
            "deliveries", "Webhook deliveries by answer", "site", "status"
        )
        self.auth_failures = self._counter(
            "auth_failures", "Calls with a token that is not valid, by answer", "status"
        )
        _from_zero(self.auth_failures, "refused", "limited")
        self.ingest_seconds = Histogram(
            "twinlink_ingest_seconds",
            "From a delivery's arrival to its commit",
            buckets=_INGEST_SECONDS,
            registry=self.registry,
        )

    def _work(self) -> None:
        self.work_claimed = self._counter("work_claimed", "Twin pairs claimed by this worker")
        self.looks = self._counter("looks", "Looks at a pair by outcome", "outcome")
        self.decisions_recorded = self._counter(
            "decisions_recorded", "Decisions recorded, above the day's bound, or failed", "outcome"
        )
        self.redis_up = self._gauge(
            "redis_up", "Whether the last wake-up went out; NaN before the first"
        )
        # A process that has had nothing to announce must not look like one without Redis.
        self.redis_up.set(math.nan)

    def _jira(self) -> None:
        self.jira_requests = self._counter(
            "jira_requests", "Requests to Jira", "site", "endpoint", "status"
        )
        self.jira_request_seconds = Histogram(
            "twinlink_jira_request_seconds",
            "Time that Jira took to answer",
            ("site", "endpoint"),
            buckets=_JIRA_SECONDS,
            registry=self.registry,
        )
        self.jira_odd_answers = self._counter(
            "jira_odd_answers",
            "Answers that contradict earlier ones: changelog_shorter is not believed",
            "site",
            "what",
        )

    def _links(self) -> None:
        self.mutations = self._counter(
            "mutations", "Writes to Jira by outcome", "connection", "operation", "status"
        )
        self.guard_held = self._counter("guard_held", "Removals held by the guard", "connection")
        self.links_unpaired = self._counter(
            "links_unpaired",
            "Links of pairs that end, by what became of them: let_go, held or released",
            "connection",
            "outcome",
        )
        self.mirrors_vanished = self._counter(
            "mirrors_vanished",
            "Our mirrors that other accounts removed, by what became of them",
            "connection",
            "outcome",
        )
        self.notifications = self._counter(
            "notifications", "Messages to people by what became of them", "status"
        )
        _from_zero(self.notifications, "sent", "suppressed", "retried", "failed", "expired")
        # Without labels, so that it is exported as 0 from the start and an alert can rely on it.
        self.unmanaged_links_removed = self._counter(
            "unmanaged_links_removed", "Links removed that were not ours. Must stay 0"
        )

        self.monitor_removals = self._counter(
            "monitor_removals", "Removals by our account that the monitor judged", "verdict"
        )
        self.monitor_unread = self._counter(
            "monitor_unread", "Issues whose changelog the monitor could not see"
        )

    def _whole(self) -> None:
        """The installation's. `unmanaged_links_removed` is kept by the API from the database, and
        by each worker for what its own monitor finds."""
        whole = self._whole_gauge
        self.build_info = whole("build_info", "Always 1; the version is in the label", "version")
        self.gauges_refreshed = whole(
            "gauges_refreshed_timestamp_seconds",
            "When the installation's gauges were last read from the database",
        )
        self.workers = whole("workers", "Workers that gave a sign within the last minute")
        self.links = whole("links", "Links in the ledger by state", "connection", "state")
        self.last_delivery = whole(
            "last_delivery_timestamp_seconds", "When the last delivery was stored", "site"
        )
        self.backlog = whole("backlog", "Work by its state", "connection", "state")
        self.oldest_seconds = whole("oldest_seconds", "Age of the oldest work", "connection")
        self.pairs_suspended = whole(
            "pairs_suspended", "Pairs that are out of scope or claimed twice", "connection"
        )
        self.circuit_open = whole("circuit_open", "1 while calls are stopped", "site")
        self.projects_unseen = whole(
            "projects_unseen", "Projects of connections that Jira does not show us", "site"
        )
        self.site_locked = whole(
            "site_locked", "1 while a site wants a CAPTCHA solved and no call leaves", "site"
        )
        self.guard_tripped = whole(
            "guard_tripped", "1 while the guard holds every removal", "connection"
        )
        self.guard_limit = whole("guard_limit", "Removals a window allows", "connection", "scope")
        self.guard_used = whole(
            "guard_used", "Removals and vanished mirrors in a window", "connection", "scope"
        )
        self.intents_unconfirmed = whole(
            "intents_unconfirmed", "Writes whose outcome is not known yet"
        )
        self.incidents_open = whole("incidents_open", "Incidents not resolved", "impact")
        self.monitor_waiting = whole(
            "monitor_waiting", "Issues whose changelog the monitor has to read"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"twinlink_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"twinlink_{name}", text, labels, registry=self.registry)

    def _whole_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self._installation.add(f"twinlink_{name}")
        return self._gauge(name, text, *labels)


def _from_zero(counter: Counter, *values: str) -> None:
    """Export these values of its one label from the start: `increase` does not see the first event
    of a series that begins with it."""
    for value in values:
        counter.labels(value)


class _Without(CollectorRegistry):
    """A registry less some names."""

    def __init__(self, registry: Collector, names: set[str]) -> None:
        super().__init__()
        self._whole, self._names = registry, names

    def collect(self) -> Iterable[Metric]:
        return (it for it in self._whole.collect() if it.name not in self._names)
