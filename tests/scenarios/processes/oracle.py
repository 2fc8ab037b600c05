"""What must hold at the end of any run, judged by the sandbox's own log alone.

The service's audit is held against that log; neither the ledger nor the client is asked.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from app.sandbox import JiraSite
from tests.support.twinsites import ACCOUNT, PERSON, TwinSites, standing

Rows = Sequence[Mapping[str, Any]]


def mirrored(sites: TwinSites) -> None:
    """Each person's link has one mirror on the other side; ours has one origin there."""
    left, right = (served.site for served in sites.both)
    for origin, mirror in ((left, right), (right, left)):
        wanted, made = standing(origin, PERSON), standing(mirror, ACCOUNT)
        assert made == wanted, f"{mirror.name}: lacks {wanted - made}, has {made - wanted}"
        assert max(made.values(), default=1) == 1, f"{mirror.name}: a link twice"


def only_ours_removed(sites: TwinSites) -> None:
    """Whatever our account removed, it had made."""
    for served in sites.both:
        log = served.site.mutations
        made = {it.link_id for it in log.select("created", ACCOUNT)}
        removed = {it.link_id for it in log.select("removed", ACCOUNT)}
        assert removed <= made, f"{served.site.name}: {removed - made}"


def never_repeated(sites: TwinSites) -> None:
    """No POST found its link there already: Jira would have answered 201 and made nothing."""
    for served in sites.both:
        posts = served.site.requests.select("POST", "/issueLink", ACCOUNT)
        acted = sum(it.status in {0, 201} for it in posts)
        assert acted == len(served.site.mutations.select("created", ACCOUNT)), served.site.name


def audited(sites: TwinSites, rows: Rows) -> None:
    """One intent and one outcome for each mutation, and no mutation without them."""
    by_intent = defaultdict(list)
    for row in rows:
        if row["operation"] in ("create", "remove"):
            by_intent[row["intent_id"]].append(row["status"])
    for intent, statuses in by_intent.items():
        assert statuses[0] == "intended", f"intent {intent}: {statuses}"
        assert len(statuses) == 2, f"intent {intent}: {statuses}"
    said = Counter(
        (row["site"], row["operation"], int(row["link_id"]), *_ends(row))
        for row in rows
        if row["status"] == "applied"
    )
    done = Counter(entry for served in sites.both for entry in _written(served.site))
    assert said == done, f"unsaid: {done - said}, not done: {said - done}"


def _ends(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Sorted: for a type without direction the audit names them in its own order."""
    return tuple(sorted((row["source"]["key"], row["destination"]["key"])))


def _written(site: JiraSite) -> list[tuple[Any, ...]]:
    words = {"created": "create", "removed": "remove"}
    return [
        (site.name, words[it.kind], it.link_id, *sorted((it.source_key, it.destination_key)))
        for it in site.mutations
        if it.actor == ACCOUNT
    ]


def check(sites: TwinSites, rows: Rows) -> None:
    """All of it."""
    mirrored(sites)
    only_ours_removed(sites)
    never_repeated(sites)
    audited(sites, rows)
