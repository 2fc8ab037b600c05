"""What must hold at the end of any run, judged by the sandbox's own log alone.

The service's audit is held against that log; neither the ledger nor the client is asked.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from app.sandbox import JiraSite
from tests.support.twinsites import ACCOUNT, PERSON, Triple, TwinSites, standing

Rows = Sequence[Mapping[str, Any]]


def out_of_step(sites: TwinSites) -> dict[str, Counter[Triple]]:
    """Per site, the mirrors that lack an origin or are lacked by one, or stand there twice."""
    left, right = (served.site for served in sites.both)
    off = {}
    for origin, mirror in ((left, right), (right, left)):
        wanted, made = standing(origin, PERSON), standing(mirror, ACCOUNT)
        twice = made - Counter(dict.fromkeys(made, 1))
        off[mirror.name] = (wanted - made) + (made - wanted) + twice
    return off


def mirrored(sites: TwinSites) -> None:
    """Each person's link has one mirror on the other side; ours has one origin there."""
    off = out_of_step(sites)
    assert not any(off.values()), off


def not_ours(sites: TwinSites) -> dict[str, set[int]]:
    """Per site, the links that our account removed and had not made."""
    return {
        site.name: {it.link_id for it in site.mutations.select("removed", ACCOUNT)}
        - {it.link_id for it in site.mutations.select("created", ACCOUNT)}
        for site in (served.site for served in sites.both)
    }


def only_ours_removed(sites: TwinSites) -> None:
    """Whatever our account removed, it had made."""
    removed = not_ours(sites)
    assert not any(removed.values()), removed


def repeated(sites: TwinSites) -> int:
    """POSTs that found their link there already: Jira answers 201 and makes nothing."""
    found = 0
    for served in sites.both:
        posts = served.site.requests.select("POST", "/issueLink", ACCOUNT)
        acted = sum(it.status in {0, 201} for it in posts)
        found += abs(acted - len(served.site.mutations.select("created", ACCOUNT)))
    return found


def never_repeated(sites: TwinSites) -> None:
    """No POST found its link there already."""
    assert repeated(sites) == 0


def unfinished(rows: Rows) -> dict[str, list[str]]:
    """The intents that have not exactly one outcome, and what there is of each."""
    by_intent = defaultdict(list)
    for row in rows:
        if row["operation"] in ("create", "remove"):
            by_intent[row["intent_id"]].append(row["status"])
    return {
        intent: statuses
        for intent, statuses in by_intent.items()
        if len(statuses) != 2 or statuses[0] != "intended" or statuses[1] == "intended"
    }


def unaudited(sites: TwinSites, rows: Rows) -> Counter[tuple[Any, ...]]:
    """Mutations by our account that the audit does not say were applied, or says and were not."""
    said = Counter(
        (row["site"], row["operation"], int(row["link_id"]), *_ends(row))
        for row in rows
        if row["status"] == "applied"
    )
    done = Counter(entry for served in sites.both for entry in _written(served.site))
    return (done - said) + (said - done)


def audited(sites: TwinSites, rows: Rows) -> None:
    """One intent and one outcome for each mutation, and no mutation without them."""
    assert unfinished(rows) == {}
    assert not unaudited(sites, rows), unaudited(sites, rows)


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
