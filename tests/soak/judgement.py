"""What is left of the promises after a soak, in figures. All of them are to be 0."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from app.sandbox import JiraSite
from tests.scenarios.processes import oracle
from tests.soak.town import People, Standing, unmanaged
from tests.support.twinsites import ACCOUNT, TwinSites


@dataclass(frozen=True, slots=True)
class Figures:
    """`lost`: deliveries answered 202 that are not in the inbox. `doubled`: links that we
    made where their like stood, at any time, and POSTs that found their link there already.
    `unaudited`: mutations without their rows, rows without their mutation, intents without
    exactly one outcome, places at which the chain is broken. `unmanaged_changed`: unmanaged
    links that are gone or changed by another hand than people's, and removals of what we had not
    made. `out_of_step`: mirrors without origin and origins without mirror. `given_up`: pairs
    that wait for a person."""

    lost: int
    doubled: int
    unaudited: int
    unmanaged_changed: int
    out_of_step: int
    given_up: int

    @property
    def off(self) -> list[str]:
        """The names of those that are not 0."""
        return [it.name for it in fields(self) if getattr(self, it.name)]


def judge(
    sites: TwinSites,
    people: People,
    before: Mapping[str, Standing],
    *,
    rows: Sequence[Mapping[str, Any]],
    broken: int,
    inbox: set[str],
    given_up: int,
) -> Figures:
    """*before*: the unmanaged links of each site when the soak began; *broken*: places at which
    `audit verify` refuses the chain; *inbox*: the deliveries that are stored."""
    return Figures(
        lost=len(accepted(sites) - inbox),
        doubled=sum(_doubled(served.site) for served in sites.both) + oracle.repeated(sites),
        unaudited=oracle.unaudited(sites, rows).total() + len(oracle.unfinished(rows)) + broken,
        unmanaged_changed=_touched(sites, people, before)
        + sum(map(len, oracle.not_ours(sites).values())),
        out_of_step=sum(off.total() for off in oracle.out_of_step(sites).values()),
        given_up=given_up,
    )


def accepted(sites: TwinSites) -> set[str]:
    """The deliveries that the service said it had."""
    logs = (served.site.outbox.log for served in sites.both)
    return {it.identifier for log in logs for it in log if it.status == 202}


def _doubled(site: JiraSite) -> int:
    """How often our account made a link beside an equal one, read from the site's own log."""
    there: defaultdict[tuple[int, ...], int] = defaultdict(int)
    doubled = 0
    for it in site.mutations:
        ends = (it.source, it.destination)
        key = (it.type_id, *(sorted(ends) if site.types[it.type_id].symmetric else ends))
        if it.kind == "removed":
            there[key] -= 1
        else:
            doubled += it.actor == ACCOUNT and there[key] > 0
            there[key] += 1
    return doubled


def _touched(sites: TwinSites, people: People, before: Mapping[str, Standing]) -> int:
    changed: Counter[str] = Counter()
    for site in (served.site for served in sites.both):
        wanted = {
            link: ends
            for link, ends in before[site.name].items()
            if (site.name, link) not in people.removed
        }
        changed[site.name] = len(dict(wanted.items() ^ unmanaged(site).items()))
    return changed.total()
