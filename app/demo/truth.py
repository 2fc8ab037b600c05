"""The state according to the sandbox's own log. Nothing here asks Twinlink."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.sandbox import JiraSite
from app.sandbox.logbook import Mutation, RequestRecord
from app.sandbox.worlds import ACCOUNT

WRITES = ("POST /issueLink", "DELETE /issueLink/{id}")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Links by id, type and ends; an id that is gone changes the digest."""

    count: int
    digest: str

    @property
    def short(self) -> str:
        return f"{self.digest[:8]} {self.digest[8:16]}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The unmanaged links of one site as they were before Twinlink was there."""

    ids: frozenset[int]
    fingerprint: Fingerprint

    @classmethod
    def of(cls, site: JiraSite) -> "Baseline":
        ids = unmanaged(site)
        return cls(ids, fingerprint(site, ids))

    def now(self, site: JiraSite) -> Fingerprint:
        """The same links again, without those that people have removed themselves."""
        return fingerprint(site, self.ids - removed_by_people(site))


def unmanaged(site: JiraSite) -> frozenset[int]:
    """Links that Twinlink's account did not create and that people did not remove. One that
    Twinlink removed still counts: its absence must show."""
    made = {entry.link_id for entry in site.mutations.select("created") if entry.actor != ACCOUNT}
    return frozenset(made - removed_by_people(site))


def fingerprint(site: JiraSite, ids: Iterable[int]) -> Fingerprint:
    chosen = sorted(ids)
    return Fingerprint(len(chosen), site.fingerprint(chosen))


def removed_by_people(site: JiraSite) -> set[int]:
    gone = site.mutations.select("removed")
    return {entry.link_id for entry in gone if entry.actor != ACCOUNT}


def created(site: JiraSite, since: int = 0) -> list[Mutation]:
    """Links that Twinlink's account made."""
    return site.mutations.select("created", ACCOUNT, since=since)


def removed(site: JiraSite, since: int = 0) -> list[Mutation]:
    """Links that Twinlink's account removed."""
    return site.mutations.select("removed", ACCOUNT, since=since)


def trespasses(site: JiraSite) -> list[Mutation]:
    """Removals by Twinlink's account of links that it had not made: must be none, ever."""
    ours = {entry.link_id for entry in created(site)}
    return [entry for entry in removed(site) if entry.link_id not in ours]


def calls(site: JiraSite, since: int = 0) -> list[RequestRecord]:
    """REST calls of Twinlink's account."""
    return site.requests.select(account=ACCOUNT, since=since)


def writes(site: JiraSite, since: int = 0) -> list[RequestRecord]:
    """Of these, the ones that make or remove a link."""
    return [it for it in calls(site, since) if f"{it.method} {it.endpoint}" in WRITES]
