"""The service's Prometheus metrics. Labels are names that an administrator gave, never issues."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_INGEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_JIRA_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    """One process's metrics on a registry of their own, constructed in `wiring`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ingest()
        self._work()
        self._jira()
        self._links()

    def render(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)

    def _ingest(self) -> None:
        self.deliveries = self._counter(
            "deliveries", "Webhook deliveries by answer", "site", "status"
        )
        self.auth_failures = self._counter(
            "auth_failures", "Calls with a token that is not valid, by answer", "status"
        )
        self.ingest_seconds = Histogram(
            "twinlink_ingest_seconds",
            "From a delivery's arrival to its commit",
            buckets=_INGEST_SECONDS,
            registry=self.registry,
        )

    def _work(self) -> None:
        self.work_claimed = self._counter("work_claimed", "Twin pairs claimed by this worker")
        self.looks = self._counter("looks", "Looks at a pair by outcome", "outcome")
        self.backlog = self._gauge("backlog", "Work by its state", "connection", "state")
        self.oldest_seconds = self._gauge("oldest_seconds", "Age of the oldest work", "connection")
        self.redis_up = self._gauge("redis_up", "Whether wake-ups and shared budgets work")

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
        self.circuit_open = self._gauge("circuit_open", "1 while calls are stopped", "site")

        self.projects_unseen = self._gauge(
            "projects_unseen", "Projects of connections that Jira does not show us", "site"
        )
        self.site_locked = self._gauge(
            "site_locked", "1 while a site wants a CAPTCHA solved and no call leaves", "site"
        )

    def _links(self) -> None:
        self.mutations = self._counter(
            "mutations", "Writes to Jira by outcome", "connection", "operation", "status"
        )
        self.guard_held = self._counter("guard_held", "Removals held by the guard", "connection")
        self.guard_tripped = self._gauge(
            "guard_tripped", "1 while the guard holds every removal", "connection"
        )
        self.guard_limit = self._gauge(
            "guard_limit", "Removals a window allows", "connection", "scope", "seconds"
        )
        self.guard_used = self._gauge(
            "guard_used",
            "Removals and vanished mirrors in a window",
            "connection",
            "scope",
            "seconds",
        )
        self.mirrors_vanished = self._counter(
            "mirrors_vanished",
            "Our mirrors that other accounts removed, by what became of them",
            "connection",
            "outcome",
        )
        self.intents_unconfirmed = self._gauge(
            "intents_unconfirmed", "Writes whose outcome is not known yet"
        )
        self.incidents_open = self._gauge("incidents_open", "Incidents not resolved", "impact")
        self.notifications = self._counter(
            "notifications", "Messages to people by what became of them", "status"
        )
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
        self.monitor_waiting = self._gauge(
            "monitor_waiting", "Issues whose changelog the monitor has to read"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"twinlink_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"twinlink_{name}", text, labels, registry=self.registry)
