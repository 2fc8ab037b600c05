"""What people, other tools, administrators of Jira and the network do, drawn from the seed."""

import contextlib
from collections.abc import Callable
from random import Random
from typing import Any

from app.sandbox import DeliveryFault, Fault, Refusal
from tests.simulation.ground import TYPES, Ground
from tests.support import mixed
from tests.support.engine import ACCOUNT

POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")
READ, LOOKUP = ("POST", "^/(issue/bulkfetch|search)$"), ("GET", "^/issueLink/")
WHO = ("GET", "^/(myself|serverInfo)$")
REQUESTS = (POST, POST, POST, DELETE, DELETE, READ, READ, LOOKUP, WHO)
LOUD = ("error_before", "error_after", "drop_before", "drop_after", "rate_limited", "html",
        "truncated", "late_commit", "slow")  # fmt: skip
"""Answers that cannot be taken for something else; the call is tried again."""
MISLEADING = ("anonymous", "unauthorized", "issue_error")
"""After some tries nothing more is known until something changes."""


class People:
    """Every method is one act; it answers a line for the trace. `mail` delivers what is due:
    news may arrive while the look goes on that cannot have seen it."""

    def __init__(self, ground: Ground, random: Random, mail: Callable[[], object]) -> None:
        self.ground = ground
        self.random = random
        self._mail = mail

    def links(self) -> str:
        return self.ground.someone_links(self.random)

    def links_under_two(self, one: int, other: int) -> str:
        """The same link on the left sites of two connections with one right site: one connection
        makes the mirror, and to the other one it is preexisting."""
        numbers = self.random.sample(range(self.ground.twinned), 2)
        joins = self.ground.joins[one], self.ground.joins[other]
        kind = (
            "Relates" if any(it[3] for it in joins) else self.random.choice(("Blocks", "Relates"))
        )
        ends = (numbers[0], numbers[1])
        return "; ".join(self.ground.link(it[0], "ann", kind, ends) for it in joins)

    def links_in_a_ring(self, name: str) -> str:
        """Every issue with a twin blocks the next and relates to it."""
        return "; ".join(
            self.ground.link(name, "ann", kind, ends)
            for ends in self._ring()
            for kind in ("Blocks", "Relates")
        )

    def unlinks_the_ring(self, name: str) -> str:
        """Of each two links one goes, so that no issue is left without any."""
        jira, ring = self.ground.world.stations[name].jira, self._ring()
        gone = [
            it
            for it in self.ground.standing(name, ours=False)
            if jira.types[jira.links[it].type_id].name == "Blocks"
            and tuple(self.ground.number(name, end) for end in self._ends(name, it)) in ring
        ]
        return "; ".join(self._unlink(name, it) for it in gone)

    def _ring(self) -> list[tuple[int, int]]:
        count = self.ground.twinned
        return [(number, (number + 1) % count) for number in range(count)]

    def _ends(self, name: str, link_id: int) -> tuple[int, int]:
        link = self.ground.world.stations[name].jira.links[link_id]
        return link.source, link.destination

    def makes_the_mirror(self) -> str:
        """The very link that we are about to make, now or right before our POST."""
        left, right, _, turned = self.random.choice(self.ground.joins)
        origin = self.ground.world.stations[left].jira
        if not origin.links:
            return ""
        link = origin.links[self.random.choice(sorted(origin.links))]
        source, to = (self.ground.number(left, end) for end in (link.source, link.destination))
        kind = origin.types[link.type_id].name
        ends = (to, source) if turned and kind == "Blocks" else (source, to)

        def act() -> str:
            return self.ground.link(right, "bob", kind, ends)

        if self.random.random() < 0.6:
            fault = Fault("before", *POST, times=1, action=act)
            self.ground.world.stations[right].jira.faults.add(fault)
            return f"{right}: bob will make {kind} {ends} right before we do"
        return act()

    def links_anew_and_races(self) -> str:
        """A new origin whose mirror a person makes right before our POST."""
        left, right, _, turned = self.random.choice(self.ground.joins)
        numbers = self.random.sample(range(self.ground.twinned), 2)
        kind = self.random.choice(("Blocks", "Relates"))
        ends = (numbers[1], numbers[0]) if turned and kind == "Blocks" else (numbers[0], numbers[1])
        told = self.ground.link(left, "ann", kind, (numbers[0], numbers[1]))
        fault = Fault("before", *POST, times=1,
                      action=lambda: self.ground.link(right, "bob", kind, ends))  # fmt: skip
        self.ground.world.stations[right].jira.faults.add(fault)
        return f"{told}; bob will make its mirror right before we do"

    def unlinks(self) -> str:
        name = self.random.choice(self.ground.names)
        ours = self.ground.standing(name, ours=True)
        theirs = self.ground.standing(name, ours=False)
        links = theirs if theirs and (not ours or self.random.random() < 0.75) else ours
        return self._unlink(name, self.random.choice(links)) if links else ""

    def unlinks_many(self, name: str | None = None) -> str:
        """Origins mostly: what a guard is for."""
        name = name or self.random.choice(self.ground.names)
        links = self.ground.standing(name, ours=False)
        count = min(len(links), self.random.randint(2, 6))
        return "; ".join(self._unlink(name, it) for it in self.random.sample(links, count))

    def makes_anew(self) -> str:
        """The same again, or the other way round."""
        name = self.random.choice(self.ground.names)
        links = sorted(self.ground.world.stations[name].jira.links)
        return self._anew(name, self.random.choice(links)) if links else ""

    def acts_between_requests(self) -> str:
        """Right before Jira handles a request of ours, or right after."""
        name = self.random.choice(self.ground.names)
        method, path = self.random.choice(REQUESTS[:-1])
        when: Any = self.random.choice(("before", "after"))
        act = self.random.choice((self._race_link, self._race_unlink, self._race_anew))
        delivered = self.random.random() < 0.6

        def both() -> None:
            act(name)
            if delivered:
                self._mail()

        fault = Fault(when, method, path, times=1, action=both)
        self.ground.world.stations[name].jira.faults.add(fault)
        return f"{name}: somebody {act.__name__[6:]}s {when} a {method} {path}"

    def news_while_we_look(self) -> str:
        """A link and its mirror come, for which we only look; and another link when its site has
        just been read for that. That look cannot know, and no write of ours brings it up again."""
        left, right, _, _ = self.random.choice(self.ground.joins)
        one, other = self.random.sample(range(self.ground.twinned), 2)

        def news() -> None:
            self.ground.link(left, "bob", "Blocks", (one, other))
            self._mail()

        fault = Fault("after", *READ, times=1, action=news)
        self.ground.world.stations[left].jira.faults.add(fault)
        told = [self.ground.link(at, "ann", "Relates", (one, other)) for at in (left, right)]
        return f"{'; '.join(told)}; and Blocks right after a READ"

    def sign_in_ends(self) -> str:
        """The next reads of a site answer as to an anonymous caller, and there is news to read:
        links that we mirrored are then hidden from all, and still exist."""
        name = self.random.choice(self.ground.names)
        origins = self.ground.standing(name, ours=False)
        if not origins:
            return ""
        link = self.ground.world.stations[name].jira.links[self.random.choice(origins)]
        ends = (self.ground.number(name, link.source), self.ground.number(name, link.destination))
        fault = Fault("anonymous", *READ, times=self.random.randint(2, 4), account=ACCOUNT)
        self.ground.world.stations[name].jira.faults.add(fault)
        told = self.ground.link(name, "ann", self.random.choice(TYPES), ends)
        return f"{told}; the next {fault.times} reads of {name} are anonymous"

    # -- administrators of Jira

    def hides(self) -> str:
        name, key = self._issue()
        if key is None:
            return ""
        jira = self.ground.world.stations[name].jira
        if self.random.random() < 0.5:
            jira.issue(key).hidden_from = frozenset({ACCOUNT})
            return f"{name}: {key} is hidden from us"
        jira.issue(key).archived = True
        return f"{name}: {key} is archived"

    def forbids(self) -> str:
        name = self.random.choice(self.ground.names)
        denied: Any = self.random.choice(("BROWSE_PROJECTS", "LINK_ISSUES"))
        self.ground.world.stations[name].jira.permit(
            ACCOUNT, denied, self.ground.project(name).key, allowed=False
        )
        return f"{name}: we lose {denied}"

    def unveils(self) -> str:
        for at in self.ground.world.stations.values():
            self.ground.unveil(at.jira)
        return "everything can be seen again"

    def moves(self) -> str:
        name, key = self._issue()
        if key is None:
            return ""
        inside = key.startswith(f"{self.ground.project(name).key}-")
        project = mixed.ELSEWHERE if inside else self.ground.project(name).key
        new = self.ground.world.stations[name].person("root").move(key, project)
        return f"{name}: {key} is now {new}"

    async def deletes(self) -> str:
        """Not while a link of the issue is being written: nobody could confirm that any more,
        so it would stay open, and be shown to people, for good."""
        name, key = self._issue()
        if key is None or await self._being_written(name, key):
            return ""
        self.ground.world.stations[name].person("root").delete(key)
        return f"{name}: {key} is deleted"

    # -- the network

    def mail_goes_wrong(self) -> str:
        name = self.random.choice(self.ground.names)
        kinds = ["duplicate", "delay", "shuffle"] + ([] if self.ground.quiet_mail else ["lose"] * 2)
        fault = DeliveryFault(
            self.random.choice(kinds),  # type: ignore[arg-type]
            times=self.random.randint(1, 3),
            seconds=self.random.choice((5.0, 90.0, 400.0)),
            fresh_identifier=self.random.random() < 0.3,
        )
        self.ground.world.stations[name].jira.outbox.faults.append(fault)
        return f"{name}: {fault.times} deliveries {fault.kind}"

    def requests_go_wrong(self) -> str:
        name = self.random.choice(self.ground.names)
        method, path = self.random.choice(REQUESTS)
        kinds = LOUD if self.ground.quiet_mail else LOUD + MISLEADING
        kind: Any = self.random.choice(kinds)
        fault = Fault(
            kind,
            method,
            path,
            times=self.random.randint(1, 3),
            skip=self.random.choice((0, 0, 1)),
            account=ACCOUNT,
            # A late commit has happened before it is confirmed.
            seconds=self.random.choice((1.0, 5.0, 15.0) if kind == "late_commit" else (3.0, 30.0)),
            headers=self.random.choice(("full", "retry_after", "reset", "beta", "none")),
            # Resets may be past, and zero seconds say nothing.
            retry_after=self.random.choice((1, 1, 0, -90)),
        )
        if kind == "late_commit" and method == "GET":
            fault.kind = "slow"
        self.ground.world.stations[name].jira.faults.add(fault)
        return f"{name}: {fault.times} x {fault.kind} for {method} {path}"

    # -- inside

    def _issue(self) -> tuple[str, str | None]:
        name = self.random.choice(self.ground.names)
        return name, self.ground.key(name, self.random.randrange(self.ground.twinned + 1))

    async def _being_written(self, name: str, key: str) -> bool:
        station = self.ground.world.stations[name]
        async with self.ground.world.database.connection() as conn:
            return bool(
                await conn.fetchval(
                    """SELECT EXISTS (SELECT 1 FROM intents WHERE state = 'open' AND site_id = $1
                       AND $2 IN (source_id, destination_id))""",
                    station.id,
                    station.jira.issue(key).id,
                )
            )

    def _unlink(self, name: str, link_id: int) -> str:
        ends = self.ground.unlink(name, self.random.choice(("ann", "bob")), link_id)
        return f"{name}: somebody unlinks {link_id} {' '.join(ends)}" if ends else ""

    def _anew(self, name: str, link_id: int) -> str:
        ends = self.ground.unlink(name, "ann", link_id)
        if ends is None:
            return ""
        source, kind, to = ends
        if self.random.random() < 0.4:
            source, to = to, source
        self.ground.world.clock.tick(0.002)
        with contextlib.suppress(Refusal):
            made = self.ground.world.stations[name].person("bob").link(source, kind, to)
            return f"{name}: {link_id} goes, {source} {kind} {to} comes ({made.id})"
        return f"{name}: {link_id} goes"

    def _race_link(self, name: str) -> None:
        numbers = self.random.sample(range(self.ground.twinned), 2)
        self.ground.link(name, "bob", self.random.choice(TYPES), (numbers[0], numbers[1]))

    def _race_unlink(self, name: str) -> None:
        links = sorted(self.ground.world.stations[name].jira.links)
        if links:
            self._unlink(name, self.random.choice(links))

    def _race_anew(self, name: str) -> None:
        links = sorted(self.ground.world.stations[name].jira.links)
        if links:
            self._anew(name, self.random.choice(links))


Act = Callable[[], str]
