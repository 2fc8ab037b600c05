"""What is said of an incident: one paragraph per entry, one message, and the calls to make next.

Pure text out of facts. It contains no issue key, name or address.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.incident_site_words import SITE_SENTENCES
from app.core.incidents import Detail, Impact, IncidentKind, public, traits_of
from app.core.removed_by import in_words


def sentences(kind: str, detail: Detail) -> str:
    """An entry of the timeline, from the facts that it is made of."""
    known = public(detail)
    say = _SAY.get(kind, _plainly)
    return " ".join(say(known)) or f"{traits_of(kind).title}."


_TRIPPED_BY: Final[Mapping[str, str]] = {
    "hour": "the limit of an hour is used up",
    "day": "the limit of a day is used up",
    "site_hour": "the limit of all connections of the site within an hour is used up",
    "leaves_none": "what was to be removed would have left none of the connection's links",
}


def _guard(detail: Detail) -> Iterator[str]:
    if "window" in detail:
        yield f"The guard tripped: {_TRIPPED_BY.get(str(detail['window']), detail['window'])}."
    if "rejected_plan" in detail:
        yield (
            f"Plan {detail['rejected_plan']} was rejected. The guard stays tripped, and its windows"
            " slide on: a later approval of all that is held arms it, or a reset."
        )
    if "resets_left" in detail:
        yield (
            "An approver reset the guard: its windows began again, and what it held is judged"
            f" under them. {detail['resets_left']} more resets are possible within a day."
        )
    if "removed" in detail:
        yield f"{detail['removed']} removals went through, {detail.get('held', 0)} are held."
    yield from _between(detail)
    if "origin_removals" in detail:
        numbers = (int(detail[f"origin_{it}"]) for it in ("removals", "accounts", "seconds"))
        yield f"Who removed their origins: {in_words(*numbers)}, as Jira's changelog says."
    if "causes" in detail:
        yield f"Causes: {detail['causes']}."
    if "revision" in detail:
        yield f"Revision {detail['revision']} is active since {detail.get('revision_since', '-')}."
    if "engines" in detail:
        yield f"Written by {detail['engines']}."
    if "correlated" in detail:
        yield f"It began soon after {detail['correlated']}."


def _vanished(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('vanished', 0)} of our mirrors were removed by other accounts, and"
        f" {detail.get('withheld', 0)} more beyond the guard's limit: none of these is detached or"
        " made again."
    )
    if "first_seen" in detail:
        last = detail.get("last_seen", "-")
        yield f"The first was seen gone at {detail['first_seen']}, the last at {last}."
    if "restore_plan" in detail:
        yield f"Plan {detail['restore_plan']} would put them back."


def _unpairings(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('pairs', 0)} pairs with {detail.get('links', 0)} managed links are to be let"
        " go, more than the guard's windows have room for. They are suspended: nothing is written"
        f" for them, nothing is removed, and plan {detail.get('plan', '-')} asks whether they end."
        " A pair that its twin field names again goes on by itself."
    )


def _between(detail: Detail) -> Iterator[str]:
    if "first_removal" in detail:
        last = detail.get("last_removal", "-")
        yield f"The first was at {detail['first_removal']}, the last at {last}."


def _unconfirmed(detail: Detail) -> Iterator[str]:
    yield f"{detail.get('writes', 1)} writes are open; the oldest since {detail.get('since', '-')}."


def _corrected(detail: Detail) -> Iterator[str]:
    yield (
        "Writes that were confirmed not to have acted have acted since:"
        f" {detail.get('made', 0)} links made, {detail.get('removed', 0)} removed."
        " The audit and the ledger say so by now."
    )


def _audit(detail: Detail) -> Iterator[str]:
    yield (
        f"Chain {detail.get('chain', '-')} of {detail.get('connection', '-')} does not hold at row"
        f" {detail.get('seq', '-')}: {detail.get('fault', '-')}."
    )


def _went_back(detail: Detail) -> Iterator[str]:
    yield (
        f"The database is another one than before ({detail.get('sign', '-')}). Everything is paused"
        " until a person resumes it (twinlink resume --all)."
        f" {detail.get('connections', 0)} live connections hold every removal; none goes live until"
        " a person acknowledges this by resolving it."
    )


_VERDICTS: Final[Mapping[str, str]] = {
    "unaudited": "the audit knows nothing of it",
    "denied": "the audit says that it did not happen",
    "unmanaged": "another account made the link",
    "unclear": "nothing shows who made the link",
}


def _unmanaged(detail: Detail) -> Iterator[str]:
    yield (
        f"Jira's changelog shows {detail.get('links', 1)} removals by our account that nothing"
        " accounts for."
    )
    yield from _found(detail)
    yield "Every connection of the site is paused until a person resumes it."


def _absent(detail: Detail) -> Iterator[str]:
    last = detail.get("last_sign")
    sign = f"the last sign of one is of {last}" if last else "none has given a sign"
    yield (
        f"Work is due since {detail.get('since', '-')}, and no worker runs: {sign}. Deliveries are"
        " stored, and done once one runs: twinlink worker."
    )


def _unclear(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('links', 1)} removals by our account are in the audit, but whose links they"
        " were cannot be determined from Jira's changelog."
    )
    yield from _found(detail)
    yield "Nothing is paused; a person has to look."


def _found(detail: Detail) -> Iterator[str]:
    verdicts = [it for it in str(detail.get("verdicts", "")).split(", ") if it]
    if verdicts:
        yield f"Found: {'; '.join(_VERDICTS.get(it, it) for it in verdicts)}."
    yield from _between(detail)


def _plainly(detail: Detail) -> Iterator[str]:
    if detail:
        yield ", ".join(f"{name} {value}" for name, value in sorted(detail.items())) + "."


_SAY: Final[Mapping[str, Callable[[Detail], Iterator[str]]]] = {
    IncidentKind.GUARD_TRIPPED: _guard,
    IncidentKind.MIRRORS_VANISHED: _vanished,
    IncidentKind.UNPAIRINGS_HELD: _unpairings,
    IncidentKind.WRITE_UNCONFIRMED: _unconfirmed,
    IncidentKind.OUTCOME_CORRECTED: _corrected,
    IncidentKind.AUDIT_BROKEN: _audit,
    IncidentKind.UNMANAGED_REMOVED: _unmanaged,
    IncidentKind.REMOVAL_UNCLEAR: _unclear,
    **SITE_SENTENCES,
    IncidentKind.DATABASE_WENT_BACK: _went_back,
    IncidentKind.WORKERS_ABSENT: _absent,
}


@dataclass(frozen=True, slots=True)
class Message:
    """As it is sent. `key`: what is sent once an hour at most."""

    key: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Named:
    """An incident as messages name it. `place`: its connection or site, empty for everything."""

    id: int
    kind: str
    place: str
    impact: Impact


def message(it: Named, event: str, text: str, next_calls: Sequence["Call"] = ()) -> Message:
    """*event*: `opened`, `worse` or `resolved`. `worse` follows `opened` at once."""
    title = traits_of(it.kind).title
    where = f": {it.place}" if it.place else ""
    done = "Resolved: " if event == "resolved" else ""
    lines = [text, *(f"To {call.purpose}: {call.command}" for call in next_calls)]
    lines.append(f"twinlink incident show {it.id}")
    level = event if event == "resolved" else it.impact.value
    return Message(
        f"{it.kind}:{it.place}:{level}",
        f"[Twinlink {it.impact.value}] {done}{title}{where}",
        "\n".join(lines),
    )


def second_message(plan: int, connection: str, changes: int, expires: str) -> Message:
    """A plan that one owner has approved, and that waits for another one."""
    return Message(
        f"plan_second:{plan}",
        f"[Twinlink] {changes} changes of {connection} wait for a second owner",
        f"Plan {plan} has one of two approvals, and is held until {expires}. Nothing happens until"
        f" another owner decides.\ntwinlink plan show {plan}",
    )


def plan_message(plan: int, connection: str, changes: int, expires: str) -> Message:
    """A plan that waits for a person's decision."""
    return Message(
        f"plan_held:{plan}",
        f"[Twinlink] {changes} changes of {connection} wait for a decision",
        f"Plan {plan} is held until {expires}. Nothing happens until then.\n"
        f"twinlink plan show {plan}",
    )


@dataclass(frozen=True, slots=True)
class Call:
    """What to do next, both ways: a request below `/api/v1`, and the command line's."""

    purpose: str
    method: str
    path: str
    body: Mapping[str, object] | None
    command: str


def calls(
    kind: str, facts: Detail, *, connection: str | None = None, site: str | None = None
) -> tuple[Call, ...]:
    """What puts right what this kind does wrong. The roll-back comes first where there is an
    earlier revision: the one before what it correlates with, else the one before the active one.
    The restore names the moment from which on it looks."""
    found: list[Call] = []
    if kind in _RESTORABLE:
        earlier = int(facts.get("revision_before", int(facts.get("revision", 0)) - 1))
        if connection is not None and earlier > 0:
            found.append(rollback(connection, earlier))
        where = {"connection": connection} if connection else {"site": site} if site else {}
        if where and "first_removal" in facts:
            found.append(restore(where, str(facts["first_removal"])))
    if kind == IncidentKind.SITE_LOCKED and site is not None:
        found.append(unlock(site))
    if kind == IncidentKind.SECRET_MISPLACED and site is not None:
        found.append(show(site))
    if kind == IncidentKind.PROJECT_UNSEEN and site is not None:
        found.append(check(site))
    if "restore_plan" in facts:
        found += put_back(int(facts["restore_plan"]))
    return (*found, *_OTHER.get(kind, ()))


def rollback(connection: str, revision: int) -> Call:
    return Call(
        f"roll back to revision {revision} and undo what came after it",
        "POST",
        f"/connections/{connection}/rollback",
        {"revision": revision, "undo": True},
        f"twinlink rollback {connection} --to {revision} --undo",
    )


def restore(where: Mapping[str, str | None], since: str) -> Call:
    options = " ".join(f"--{name} {value}" for name, value in where.items())
    return Call(
        "plan to put back what was removed",
        "POST",
        "/restores",
        {**where, "since": since, "operation": "remove"},
        f"twinlink restore {options} --since {since}",
    )


def show(site: str) -> Call:
    purpose = "see whether the site's address is the right one"
    return Call(purpose, "GET", f"/sites/{site}", None, f"twinlink site show {site}")


def check(site: str) -> Call:
    return _at_site(site, "check", "see what the account may do in each project")


def unlock(site: str) -> Call:
    return _at_site(site, "unlock", "let calls go again, once the CAPTCHA is solved")


def _at_site(site: str, what: str, purpose: str) -> Call:
    return Call(purpose, "POST", f"/sites/{site}/{what}", None, f"twinlink site {what} {site}")


def put_back(plan: int) -> tuple[Call, Call]:
    """The audit does not have what others removed, so the service has made the plan itself."""
    return (
        Call(
            "see what would be put back",
            "GET",
            f"/plans/{plan}",
            None,
            f"twinlink plan show {plan}",
        ),
        Call(
            "put it back; the body takes the plan's digest",
            "POST",
            f"/plans/{plan}/approval",
            None,
            f"twinlink plan approve {plan}",
        ),
    )


_RESTORABLE = frozenset(
    {IncidentKind.GUARD_TRIPPED, IncidentKind.UNMANAGED_REMOVED, IncidentKind.REMOVAL_UNCLEAR}
)
_HELD = Call(
    "see what is held", "GET", "/plans?status=held", None, "twinlink plan list --status held"
)
_OTHER: Final[Mapping[str, tuple[Call, ...]]] = {
    IncidentKind.GUARD_TRIPPED: (_HELD,),
    IncidentKind.MIRRORS_VANISHED: (_HELD,),
    IncidentKind.UNPAIRINGS_HELD: (_HELD,),
    IncidentKind.AUDIT_BROKEN: (
        Call(
            "check every chain again", "POST", "/audit/verifications", None, "twinlink audit verify"
        ),
    ),
    IncidentKind.ENGINE_DIFFERS: (
        Call("see what differs, and its digest", "GET", "/engines", None, "twinlink engine list"),
    ),
    IncidentKind.ISSUES_HELD: (_HELD,),
    IncidentKind.PAIRS_PARKED: (
        Call("see the pairs", "GET", "/failures", None, "twinlink failures"),
    ),
    IncidentKind.WRITE_UNCONFIRMED: (
        Call("see the writes", "GET", "/intents?status=unconfirmed", None, "twinlink status"),
    ),
}
