"""Whether a link can be put back, and what an attempt came to. Values in, words out.

What prevents a link from being put back, by a reading of its ends and the site's link types:

============================================  =====================
the type is not among the site's              `type_gone`
an end did not come back, and its deletion    `issue_gone`
was delivered to us
an end did not come back otherwise            `issue_not_seen`
an end is archived                            `archived`
an equal link is there                        `already_there`
an end has as many links as Jira takes        `link_limit`
we put it back, or made it again, since then  `removed_since`
============================================  =====================

The last one is for the caller to find: another account has removed what came back, and a plan that
does not name the link does not make it against that account's will.

A moved issue is no obstacle: links hold ids, and ids do not move. An end whose answer was broken
says nothing: it is read again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.core.evidence import IssueView, Reading
from app.core.links import Ends, IssueId, LinkType, TypeId, equal_links
from app.core.operations import Ended, Status

# Jira Cloud: "2000 issuelinks per issue" (docs/jira.md). Data Center has no such limit.
LINKS_PER_ISSUE = 2000
# A change that is put off this often for reasons of its own is given up.
MOST_TRIES = 8

# Nothing is wrong with the link: the whole site refuses or is away, and may take it later.
_SITE_REFUSES = frozenset(
    {
        "read_only", "anonymous", "captcha_required", "redirected", "unreachable", "rate_limited",
        "busy",
        "send_before_passed", "server_error", "timeout", "dropped", "bad_answer",
    }
)  # fmt: skip
# A person may give back a credential or a permission meanwhile.
_MAY_PASS = frozenset({"unauthorized", "link_not_permitted", "conflict"})
# A link that is there after all is what was wanted, no matter who made it.
_SKIPPED = frozenset({"made_by_another", "two_candidates", "link_limit", "link_changed"})
# After a crash it is unknown whether the request left; these say that it did nothing.
_NOT_DONE = frozenset({"confirmed_not_made", "confirmed_still_there"})


@dataclass(frozen=True, slots=True)
class Sought:
    """The link to be put back, as the audit or a changelog names it."""

    type_id: TypeId
    ends: Ends


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing prevents it; the ends as they are now."""

    kind: LinkType
    source: IssueView
    destination: IssueView


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The link cannot be put back. `reason` is a word of the table."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Jira could not say: to be read again."""

    reason: str


def judge(
    sought: Sought,
    reading: Reading,
    types: Sequence[LinkType],
    *,
    deleted: Collection[IssueId] = (),
    limit: int | None = LINKS_PER_ISSUE,
) -> Ready | Obstacle | Unread:
    """See the table. *deleted* are issues whose deletion was delivered to us; *limit* is None
    where Jira has none."""
    kind = next((it for it in types if it.id == sought.type_id), None)
    if kind is None:
        return Obstacle("type_gone")
    for end in (sought.ends.source, sought.ends.destination):
        why = _unseen(reading, end, deleted)
        if why is not None:
            return why
    source = reading.issues[sought.ends.source]
    destination = reading.issues[sought.ends.destination]
    views = (source, destination)
    if any(view.archived for view in views):
        return Obstacle("archived")
    listed = [link for view in views for link in view.links or ()]
    if equal_links(listed, kind, sought.ends):
        return Obstacle("already_there")
    if any(view.links is None for view in views):
        return Unread("links_missing")
    if limit is not None and any(len(view.links or ()) >= limit for view in views):
        return Obstacle("link_limit")
    return Ready(kind, source, destination)


def _unseen(
    reading: Reading, end: IssueId, deleted: Collection[IssueId]
) -> Obstacle | Unread | None:
    if end in reading.issues:
        return None
    why = reading.unread.get(end, "not_read")
    if why != "not_returned":
        return Unread(why)
    return Obstacle("issue_gone" if end in deleted else "issue_not_seen")


@dataclass(frozen=True, slots=True)
class Again:
    """Not done, and worth another try. `counted`: for a reason of the link's own, which counts
    against its tries."""

    code: str
    counted: bool


def verdict(state: Ended, code: str, *, final: bool, tries: int) -> str | Again:
    """What one attempt comes to in its plan: a result, or another try.

    `state` and `code` are those of the intent's outcome; `tries` of the change before.
    """
    if state is Status.APPLIED:
        return f"applied:{code}"
    reason = code.removeprefix("confirmed_").removeprefix("corrected_")
    if state is Status.NOOP or reason in _SKIPPED:
        return f"skipped:{reason}"
    if code in _SITE_REFUSES:
        return Again(code, counted=False)
    if (not final or code in _NOT_DONE | _MAY_PASS) and tries < MOST_TRIES:
        return Again(code, counted=True)
    return f"failed:{code}"


def crowded(
    ends: Sequence[Ends],
    recent: Mapping[IssueId, Sequence[float]],
    windows: Sequence[tuple[float, int]],
) -> list[float]:
    """Seconds that each link should wait, in order, so that no issue is written more often
    than *windows* (seconds, writes) allow. `recent` are the ages of each issue's writes.

    A link waits before its intent is opened: a request that waits after that may miss its time to
    be sent, and leaves a failed attempt behind.
    """
    planned = {issue: sorted(ages) for issue, ages in recent.items()}
    waits = []
    for pair in ends:
        wait = max(_wait(planned.get(it, []), windows) for it in (pair.source, pair.destination))
        waits.append(wait)
        if wait == 0:
            for issue in (pair.source, pair.destination):
                planned[issue] = [0.0, *planned.get(issue, [])]
    return waits


def _wait(ages: Sequence[float], windows: Sequence[tuple[float, int]]) -> float:
    """*ages* ascending: the youngest first."""
    waits = [0.0]
    waits += [
        seconds - ages[most - 1]
        for seconds, most in windows
        if len(ages) >= most and ages[most - 1] < seconds
    ]
    return max(waits)
