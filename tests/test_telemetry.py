"""Promise 5: what people wrote, who they are, and credentials reach no log and no metric."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry import (
    Metrics,
    configure_logging,
    current_request_id,
    redact,
    request_context,
    scrub,
)
from app.telemetry.redaction import MASK, is_sensitive

SECRET = "hunter2-canary"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """What was logged as JSON lines. Logging is put back after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging("debug", "json", stream=stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "name",
    [
        "token", "api_token", "X-Api-Key", "apiKey", "Authorization", "password", "webhook_secret",
        "X-Hub-Signature", "emailAddress", "email", "summary", "description", "body", "comment",
        "displayName", "display_name", "accountId", "author", "reporter", "assignee", "cookie",
    ],
)  # fmt: skip
def test_fields_of_such_names_lose_their_value(name: str) -> None:
    assert redact(None, "info", {name: SECRET}) == {name: MASK}


@pytest.mark.parametrize(
    "name",
    ["connection", "site", "issue_id", "key", "authorship", "link_type", "name", "status",
     "token_id", "content_type", "event", "delivery", "at"],
)  # fmt: skip
def test_metadata_stay(name: str) -> None:
    assert redact(None, "info", {name: "A-1"}) == {name: "A-1"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"cannot connect to postgresql://run:{SECRET}@db:5432/twinlink", "db:5432/twinlink"),
        (f"redis://:{SECRET}@cache/0 is away", "cache/0 is away"),
        (f"GET https://{SECRET}@jira.example.org/rest", "jira.example.org/rest"),
        (f"Authorization: Bearer {SECRET}", "Authorization"),
        (f"sent basic {SECRET}", "sent"),
        (f"GET /x?token={SECRET}&since=1", "since=1"),
        (f'{{"webhook_secret": "{SECRET}", "site": "left"}}', '"site": "left"'),
        (f"mail to {SECRET}@example.org bounced", "bounced"),
        (f"api_key={SECRET}", "api_key"),
    ],
)
def test_texts_lose_what_can_be_recognised(text: str, kept: str) -> None:
    cleaned = scrub(text)
    assert SECRET not in cleaned
    assert kept in cleaned


def test_ordinary_texts_are_unchanged() -> None:
    text = "A-1 blocks A-2: 3 of 10 removed at https://jira.example.org/browse/A-1 (409)"
    assert scrub(text) == text


def test_nesting_hides_nothing() -> None:
    event = {
        "request": {"headers": [{"Authorization": SECRET}, f"Bearer {SECRET}"]},
        "raw": SECRET.encode(),
        "error": ValueError(f"redis://:{SECRET}@cache"),
    }
    assert SECRET not in repr(redact(None, "info", event))


nested = st.recursive(
    st.just(SECRET) | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
    max_leaves=10,
)


@given(value=nested, name=st.sampled_from(["token", "userName", "issue_summary", "PASSWORD"]))
def test_a_sensitive_field_is_masked_whole_whatever_it_holds(value: object, name: str) -> None:
    assert is_sensitive(name)
    outer = redact(None, "info", {"payload_size": 1, "x": {name: value}})
    assert SECRET not in repr(outer["x"])


def test_structured_lines_are_json_with_context(output: io.StringIO) -> None:
    log = structlog.get_logger("app.sync")
    with request_context("req-1", site="left"):
        assert current_request_id() == "req-1"
        log.info("claimed", pairs=3, summary=SECRET)
    assert current_request_id() is None
    log.info("idle")
    first, second = lines(output)
    assert first["request_id"] == "req-1"
    assert (first["event"], first["site"], first["pairs"]) == ("claimed", "left", 3)
    assert (first["summary"], first["level"], first["logger"]) == (MASK, "info", "app.sync")
    assert first["at"].endswith("Z")
    assert "request_id" not in second


async def test_context_follows_tasks_and_stays_apart(output: io.StringIO) -> None:
    log = structlog.get_logger("app.api")

    async def handle(request_id: str) -> None:
        with request_context(request_id):
            await asyncio.gather(asyncio.to_thread(log.info, request_id))

    await asyncio.gather(*(handle(f"req-{n}") for n in range(5)))
    said = lines(output)
    assert len(said) == 5
    assert all(line["event"] == line["request_id"] for line in said)


def test_exceptions_are_text_without_credentials(output: io.StringIO) -> None:
    try:
        raise ConnectionError(f"postgresql://run:{SECRET}@db/twinlink")
    except ConnectionError:
        structlog.get_logger("app.store").exception("away")
        logging.getLogger("library").exception("failed for %s", f"{SECRET}@example.org")
    assert SECRET not in output.getvalue()
    ours, theirs = lines(output)
    assert "ConnectionError" in ours["exception"]
    assert "ConnectionError" in theirs["exception"]
    assert theirs["event"] == f"failed for {MASK}"


class Coded(Exception):
    code = "database_unavailable"


def test_exceptions_keep_their_place_and_lose_their_words(output: io.StringIO) -> None:
    """What a library says of a bad value is that value: no pattern recognises a summary."""
    canary = "Ann asked whether the offer of Bob still stands"
    try:
        try:
            int(canary)
        except ValueError as error:
            raise Coded(canary) from error
    except Coded:
        structlog.get_logger("app.jira").exception("broke")
        logging.getLogger("library").exception("broke")
    for line in lines(output):
        said = line["exception"]
        assert canary not in said
        assert "builtins.ValueError\nCaused:\n" in said
        assert said.endswith("test_telemetry.Coded (code=database_unavailable)")
        assert "test_exceptions_keep_their_place" in said


def test_groups_of_exceptions_lose_their_words_too(output: io.StringIO) -> None:
    try:
        raise ExceptionGroup(SECRET, [ValueError(SECRET), OSError(2, SECRET)])
    except ExceptionGroup:
        structlog.get_logger("app").exception("broke")
    [line] = lines(output)
    assert SECRET not in line["exception"].replace("SECRET", "")
    assert "FileNotFoundError (errno=2)" in line["exception"]
    assert "1 of 2:" in line["exception"]


def test_levels_and_quiet_libraries(output: io.StringIO) -> None:
    configure_logging("info", "json", stream=output)
    structlog.get_logger("app").debug("unheard")
    logging.getLogger("httpx").info("HTTP Request: GET https://jira.example.org/x")
    logging.getLogger("httpx").warning("heard")
    assert [line["event"] for line in lines(output)] == ["heard"]


def test_the_console_format_redacts_too(output: io.StringIO) -> None:
    configure_logging("info", "console", stream=output)
    structlog.get_logger("app").info("started", token=SECRET, port=8080)
    assert "started" in output.getvalue()
    assert SECRET not in output.getvalue()


def test_metrics_are_each_processs_own() -> None:
    one, two = Metrics(), Metrics()
    one.deliveries.labels("left", "accepted").inc()
    assert 'twinlink_deliveries_total{site="left",status="accepted"} 1.0' in one.render().decode()
    assert "accepted" not in two.render().decode()


def test_the_alarm_metric_is_exported_from_the_start() -> None:
    assert "\ntwinlink_unmanaged_links_removed_total 0.0\n" in Metrics().render().decode()


def test_metrics_have_the_names_that_dashboards_use() -> None:
    text = Metrics().render().decode()
    for name in (
        "deliveries_total", "ingest_seconds", "work_claimed_total", "looks_total", "backlog",
        "jira_requests_total", "jira_request_seconds", "mutations_total", "guard_held_total",
        "guard_limit", "guard_used", "guard_tripped", "mirrors_vanished_total",
        "intents_unconfirmed", "unmanaged_links_removed_total",
        "monitor_removals_total", "monitor_unread_total", "monitor_waiting",
    ):  # fmt: skip
        assert f"# HELP twinlink_{name} " in text


def test_labels_cannot_hold_issues_or_people() -> None:
    allowed = {"site", "status", "connection", "state", "endpoint", "operation", "scope",
               "outcome", "impact", "verdict", "version", "what"}  # fmt: skip
    metrics = [m for m in vars(Metrics()).values() if hasattr(m, "_labelnames")]
    assert len(metrics) > 10
    assert {label for m in metrics for label in m._labelnames} <= allowed


def test_a_counter_has_one_series_and_a_window_one_name() -> None:
    """No `_created` beside each counter, and no length of the window beside its scope."""
    metrics = Metrics()
    metrics.deliveries.labels("left", "accepted").inc()
    metrics.guard_used.labels("main", "hour").set(3)
    assert "_created" not in metrics.render().decode()


def test_a_worker_exports_nothing_of_the_installation() -> None:
    metrics = Metrics()
    metrics.backlog.labels("main", "backlog").set(3)
    metrics.workers.set(1)
    told = metrics.render_process().decode()
    assert "twinlink_backlog" not in told
    assert "twinlink_workers" not in told
    assert "twinlink_unmanaged_links_removed_total 0.0" in told
    assert 'twinlink_backlog{connection="main",state="backlog"} 3.0' in metrics.render().decode()
