"""What is said of an incident of a site, of pairs, or of a worker that does not fit, by facts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from app.core.incidents import Detail, IncidentKind

UNSIGNED: Final = (
    "Enter the site's webhook secret there. A Data Center before 10 has no field for it: allow"
    " basic authentication in the webhook's URL (`twinlink site basic-webhooks`), or let its poll"
    " follow it."
)


def _rejected(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('rejected', 0)} deliveries were refused since {detail.get('since', '-')} and"
        " no valid one has come. Jira does not send them again."
    )
    if "unsigned" in detail:
        yield f"{detail['unsigned']} carried no signature: this Jira signs nothing. {UNSIGNED}"


def _astray(detail: Detail) -> Iterator[str]:
    if "deleted" in detail:
        yield (
            f"{detail.get('deliveries', 0)} deliveries came for {detail['deleted']}, which was"
            " deleted here. Remove the webhook in that Jira, or store the site again."
        )
    else:
        yield (
            f"{detail.get('deliveries', 0)} deliveries came to nearly the right address: a slash at"
            f" its end, or capitals. It is /webhooks/jira/{detail.get('name', '-')}, exactly so."
        )
    yield "Each is lost to Twinlink, and Jira does not send it again; the poll finds what it meant."


def _refused(detail: Detail) -> Iterator[str]:
    yield f"{detail.get('pairs', 0)} pairs wait: {detail.get('code', '-')}. Nothing is concluded."


def _silent(detail: Detail) -> Iterator[str]:
    if "stopped_since" in detail:
        yield f"It fails; calls to it are stopped since {detail['stopped_since']}."
    if "since" in detail:
        yield f"Nothing was read there since {detail['since']}."
    yield "Nothing is concluded."


def _misplaced(detail: Detail) -> Iterator[str]:
    if "unreadable" in detail:
        yield (
            f"No key of TWINLINK_SECRET_KEY opens {detail['unreadable']} of this site. Until it can"
            " be read, or is stored again, the secrets of all sites wait to be bound to their"
            " places, and nothing shows whether one of them was moved."
        )
    if "unreadable" in detail and "secrets" not in detail:
        return
    yield (
        f"{detail.get('secrets', 'Secrets')} of this site open nowhere"
        f" ({detail.get('codes', '-')}): they were sealed for another site, address, Jira or use,"
        " so the database was written past the service. No call leaves with them. Find out by whom,"
        " and store the site's address and its secrets again (twinlink site put, with --base-url:"
        " the address that is stored may be another one)."
    )


def _locked(detail: Detail) -> Iterator[str]:
    yield (
        f"Since {detail.get('since', '-')} no call leaves for it: each would renew its lock."
        " A person has to log in there by browser as the service's account, solve the CAPTCHA, and"
        " unlock the site here. Nothing is concluded."
    )


def _expires(detail: Detail) -> Iterator[str]:
    yield (
        f"The token of our account ends at {detail.get('at', '-')}; from then on nothing is read or"
        " written there. Make another one, and store it here with the time when it ends."
    )


def _replaced(detail: Detail) -> Iterator[str]:
    yield (
        f"Jira refused the first token of our account; since {detail.get('at', '-')} the second one"
        " is used, and nothing was lost. Store the time when it expires."
    )


def _project(detail: Detail) -> Iterator[str]:
    yield (
        f"Jira refuses to search {detail.get('count', 0)} projects of connections there:"
        f" {detail.get('projects', '-')}. Each is mistyped, renamed, archived, deleted, or hidden"
        " from our account; Jira does not say which. Their links are not polled, nothing is"
        " concluded about them, and the other projects go on."
    )


def _at_rest(detail: Detail) -> Iterator[str]:
    count = f"{detail.get('resting', 0)} of {detail.get('pairs', 0)} pairs"
    yield (
        f"{count} of {detail.get('projects', '-')} rest: their issues are in a project that the"
        " connection does not cover, are claimed by several others, or are deleted or hidden. Their"
        " links stay as they are, and nothing new is mirrored until they are back."
    )


def _mismatch(detail: Detail) -> Iterator[str]:
    yield (
        f"A worker is configured as {detail.get('configured', '-')!r}, and the database belongs to"
        f" {detail.get('stored', '-')!r}. It writes nothing."
    )


def _schema(detail: Detail) -> Iterator[str]:
    yield (
        f"The database has schema {detail.get('found', '-')}, and a worker expects"
        f" {detail.get('expected', '-')}. It claims nothing until they match:"
        f" {detail.get('remedy', '-')}."
    )


def _engine(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('engine', '-')} decides {detail.get('differ', 0)} of"
        f" {detail.get('compared', 0)} recorded decisions otherwise than the versions before it:"
        f" {detail.get('removals', 0)} links would be removed that were left, and"
        f" {detail.get('creations', 0)} made. Its workers claim nothing and write nothing; those of"
        f" other versions go on. By rule: {detail.get('rules', '-')}. Accept it under digest"
        f" {detail.get('digest', '-')}, or roll the release back."
    )


def _issues_held(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('removals', 0)} removals are held since {detail.get('since', '-')}, because"
        f" they would leave {detail.get('issue_count', 0)} issues with less than a fifth of their"
        " links each. No limit of the connection is used up by them: each waits for a person."
    )


def _parked(detail: Detail) -> Iterator[str]:
    yield (
        f"{detail.get('pairs', 1)} pairs are parked since {detail.get('since', '-')}: process after"
        " process ended while it looked at one of them, the last one at nothing else. No one looks"
        " at them until something of them changes or a person tries them again. Find out first how"
        " those workers ended: killed for their memory, or broken."
    )


_SIGNS: Final[Mapping[str, str]] = {
    "mirror_of_another": "a mirror that was proven to be ours is another account's by now",
    "removed_link_is_back": "a link that we removed answers again under its id",
    "link_id_of_another": "a link id that we know belongs to a link between other issues by now",
}


def _site_went_back(detail: Detail) -> Iterator[str]:
    sign = str(detail.get("sign", "-"))
    yield (
        f"This Jira hands out ids again, as after a restored backup: {_SIGNS.get(sign, sign)}."
        f" Its {detail.get('connections', 0)} connections are paused until a person resumes them"
        f" (twinlink resume), and hold every removal until a person acknowledges this by resolving"
        f" it. Who made {detail.get('links', 0)} mirrors is asked of Jira again before any is"
        " removed."
    )


SITE_SENTENCES: Final[Mapping[str, Callable[[Detail], Iterator[str]]]] = {
    IncidentKind.DELIVERIES_REJECTED: _rejected,
    IncidentKind.DELIVERIES_ASTRAY: _astray,
    IncidentKind.SITE_IDENTITY_CHANGED: _refused,
    IncidentKind.SITE_REFUSED: _refused,
    IncidentKind.SECRET_MISPLACED: _misplaced,
    IncidentKind.SITE_LOCKED: _locked,
    IncidentKind.TOKEN_EXPIRES: _expires,
    IncidentKind.TOKEN_REPLACED: _replaced,
    IncidentKind.PROJECT_UNSEEN: _project,
    IncidentKind.PAIRS_AT_REST: _at_rest,
    IncidentKind.CIRCUIT_OPEN: _silent,
    IncidentKind.ISSUES_HELD: _issues_held,
    IncidentKind.PAIRS_PARKED: _parked,
    IncidentKind.SITE_WENT_BACK: _site_went_back,
    IncidentKind.INSTALLATION_MISMATCH: _mismatch,
    IncidentKind.SCHEMA_MISMATCH: _schema,
    IncidentKind.ENGINE_DIFFERS: _engine,
}
