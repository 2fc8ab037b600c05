"""What watches the service names only what the service exports: documents, alerts, dashboard."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from app.telemetry import Metrics
from deploy.dashboard import FILE, dashboard, written

DEPLOY = Path(__file__).parents[2] / "deploy"
_NAME = re.compile(r"\btwinlink_[a-z0-9_]+")
_PARTS = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Known:
    """A metric as it is scraped. `whole`: the installation's, which no worker exports."""

    name: str
    type: str
    labels: tuple[str, ...]
    whole: bool


def _registered() -> Iterator[Known]:
    metrics = Metrics()
    of_process = metrics.render_process().decode()
    for it in vars(metrics).values():
        if isinstance(it, MetricWrapperBase):
            name = f"{it._name}_total" if it._type == "counter" else it._name
            whole = f"# TYPE {name} " not in of_process
            yield Known(name, it._type or "", tuple(it._labelnames), whole)


KNOWN = {it.name: it for it in _registered()}


def _documented() -> dict[str, tuple[Known, str]]:
    """Each metric of the page, with the text of its alerts."""
    found = {}
    for section in (DEPLOY / "metrics.md").read_text().split("\n## ")[1:]:
        whole = section.startswith("Of the installation")
        for line in section.splitlines():
            if line.startswith("| `"):
                name, type_, labels, unit, meaning, alerts = line.strip("|").split(" | ")
                assert unit
                assert meaning
                named = tuple(re.findall(r"`(\w+)`", labels))
                it = Known(name.strip(" `"), type_, named, whole)
                assert it.name not in found
                found[it.name] = (it, alerts)
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _named(expression: str) -> set[str]:
    """Metrics that an expression names; a part of a histogram by the histogram's name."""
    return {
        next((name.removesuffix(it) for it in _PARTS if name.endswith(it)), name)
        for name in _NAME.findall(expression)
    }


def test_every_metric_is_documented_as_it_is_exported() -> None:
    assert {name: it for name, (it, _) in _documented().items()} == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_a_metric_says_which_alerts_use_it(name: str) -> None:
    using = [it["alert"] for it in rules() if name in _named(it["expr"])]
    assert re.findall(r"`(\w+)`", _documented()[name][1]) == using


@pytest.mark.parametrize("rule", rules(), ids=lambda it: it["alert"])
def test_an_alert_asks_for_what_exists_and_leads_to_its_page(rule: dict[str, Any]) -> None:
    assert _named(rule["expr"]) <= set(KNOWN)
    for name in _named(rule["expr"]):
        # An API process more would change the sum of what each of them exports alike.
        assert not (KNOWN[name].whole and re.search(r"\bsum\b", rule["expr"]))
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    place, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert place == "deploy/runbook.md"
    assert anchor == rule["alert"].lower()


def test_every_alert_is_tried() -> None:
    tried = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    missing = {it["alert"] for it in rules()} - set(re.findall(r"alertname: (\w+)", tried))
    assert missing == set()


def test_the_dashboard_is_as_its_module_writes_it() -> None:
    assert FILE.read_text() == written(), "make dashboard"


def test_the_dashboard_asks_for_what_exists() -> None:
    panels = dashboard()["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert {name for it in asked for name in _named(it)} <= set(KNOWN)
    assert len({it["id"] for it in panels}) == len(panels)
    titles = " ".join(it["title"] for it in panels).lower()
    for word in (
        *("deliveries", "oldest work", "creations", "removals", "limit", "held", "circuit"),
        *("rate budget", "incidents", "workers"),
    ):
        assert word in titles


def test_what_has_not_happened_yet_is_said_to_be_zero() -> None:
    """An alert on an increase does not see the first event of a series that begins with it."""
    text = Metrics().render().decode()
    for status in ("sent", "suppressed", "retried", "failed", "expired"):
        assert f'twinlink_notifications_total{{status="{status}"}} 0.0' in text
    for status in ("refused", "limited"):
        assert f'twinlink_auth_failures_total{{status="{status}"}} 0.0' in text


def test_a_process_that_announced_nothing_does_not_look_like_one_without_redis() -> None:
    assert "twinlink_redis_up NaN" in Metrics().render().decode()
