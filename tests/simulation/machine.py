"""A Hypothesis machine over real sites, the real engine and the real store.

People and other tools act on every side, Jira and the network misbehave, processes die. Now and
then everything heals and comes to rest; the oracle is in `oracle.py`.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from app.core.config import Direction, Mode, OnIssueDeleted, OnMirrorRemoved
from app.sandbox import DeliveryFault, Fault, ManualClock
from tests.simulation import oracle
from tests.simulation.council import Council
from tests.simulation.town import TWINNED, Join, Made
from tests.support import mixed
from tests.support.crash import die
from tests.support.engine import ACCOUNT

BOTH, FORWARD = Direction.BOTH, Direction.LEFT_TO_RIGHT
TOPOLOGIES: list[list[Join]] = [
    [("l", "m", BOTH, False)],
    [("l", "m", BOTH, True)],
    [("l", "m", FORWARD, True)],
    [("l", "m", BOTH, False), ("m", "r", BOTH, False), ("l", "r", BOTH, False)],
    [("l", "m", FORWARD, False), ("r", "m", FORWARD, False)],
    [("l", "m", FORWARD, False), ("m", "r", FORWARD, False), ("r", "l", FORWARD, False)],
]
SITES, PICK = st.sampled_from("lmr"), st.integers(0, 99)
ISSUES = st.sampled_from([0, 1, 2, 0, 1, 2, TWINNED])
ENDS = st.permutations([0, 1, 2, TWINNED]).map(lambda order: (order[0], order[1]))
TYPES = st.sampled_from(["Blocks", "Blocks", "Blocks", "Relates", "Relates", "Tests"])
PEOPLE = st.sampled_from(["ann", "bob"])
POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")
READ, LOOKUP = ("POST", "^/(issue/bulkfetch|search)$"), ("GET", "^/issueLink/")
REQUESTS = st.sampled_from([POST, POST, DELETE, READ, LOOKUP])
THEN = st.sampled_from(["wait", "wait", "look", "settle"])


class Machine(Council):
    """Every rule ends with what the engine does next (`then`): else people would be alone."""

    @initialize(
        joins=st.sampled_from(TOPOLOGIES),
        vanished=st.sampled_from(OnMirrorRemoved),
        deleted=st.sampled_from(OnIssueDeleted),
        before=st.lists(st.tuples(SITES, TYPES, ENDS), max_size=6),
        after=st.lists(st.tuples(SITES, TYPES, ENDS), min_size=3, max_size=6),
    )
    def begin(
        self,
        joins: list[Join],
        vanished: OnMirrorRemoved,
        deleted: OnIssueDeleted,
        before: list[Made],
        after: list[Made],
    ) -> None:
        self.clock = ManualClock()
        self.world = self.lab.world(self.clock)
        self.joins = joins
        self.resets = {}
        self.run(self._build(vanished, deleted, before))
        self.run(self._settle())
        for where, kind, ends in after:
            self._link(self._at(where), "ann", kind, ends)
        self.run(self._settle())

    # -- people

    @rule(where=SITES, who=PEOPLE, kind=TYPES, ends=ENDS, then=THEN)
    def someone_links(
        self, where: str, who: str, kind: str, ends: tuple[int, int], then: str
    ) -> None:
        self._link(self._at(where), who, kind, ends)
        self.then(then)

    @rule(where=SITES, who=PEOPLE, pick=PICK, then=THEN)
    def someone_unlinks(self, where: str, who: str, pick: int, then: str) -> None:
        self._unlink(self._at(where), who, pick)
        self.then(then)

    @rule(where=SITES, pick=PICK, turned=st.booleans(), then=THEN)
    def someone_makes_a_link_anew(self, where: str, pick: int, turned: bool, then: str) -> None:
        """The same again, or the other way round."""
        self._anew(self._at(where), pick, turned)
        self.then(then)

    @rule(pick=PICK, which=PICK, race=st.booleans(), then=THEN)
    def someone_makes_the_mirror(self, pick: int, which: int, race: bool, then: str) -> None:
        """The very link that we are about to make: now, or right before our POST."""
        left, right, _, turned = self.joins[pick % len(self.joins)]
        origin, mirror = self.world.stations[left], self.world.stations[right]
        links = sorted(origin.jira.links)
        if not links:
            return
        link = origin.jira.links[links[which % len(links)]]
        source, to = (self._number(left, end) for end in (link.source, link.destination))
        ends = (to, source) if turned else (source, to)
        kind = origin.jira.types[link.type_id].name

        def act() -> None:
            self._link(mirror, "bob", kind, ends)

        if race:
            mirror.jira.faults.add(Fault("before", *POST, times=1, action=act))
        else:
            act()
        self.then(then)

    # -- places and administrators

    @rule(
        where=SITES,
        issue=ISSUES,
        what=st.sampled_from(
            ["hide", "archive", "browse", "link", "unveil", "unveil", "out", "back", "delete"]
        ),
        then=THEN,
    )
    def something_happens_to_an_issue(self, where: str, issue: int, what: str, then: str) -> None:
        at = self._at(where)
        key = self._key(self._name(at), issue)
        if what == "unveil":
            self._unveil()
        elif what in ("browse", "link"):
            denied: Any = "BROWSE_PROJECTS" if what == "browse" else "LINK_ISSUES"
            at.jira.permit(ACCOUNT, denied, mixed.PROJECT, allowed=False)
        elif key is None:
            return
        elif what == "hide":
            at.jira.issue(key).hidden_from = frozenset({ACCOUNT})
        elif what == "archive":
            at.jira.issue(key).archived = True
        else:
            self.run(self._no_open_writes())
            self._relocate(at, key, what)
        self.then(then)

    @rule(
        pick=PICK,
        number=st.integers(0, TWINNED - 1),
        what=st.sampled_from(["unpair", "renew", "pause", *Mode]),
        then=THEN,
    )
    def someone_administers(self, pick: int, number: int, what: str, then: str) -> None:
        at = pick % len(self.joins)
        connection = self.world.connections[at]
        if what in ("unpair", "renew"):
            self.run(self._unpair(connection, self.joins[at], number, back=what == "renew"))
        else:
            self.run(self._set(connection, None if what == "pause" else Mode(what)))
        self.then(then)

    @rule(
        pick=PICK,
        what=st.sampled_from(["approve", "approve", "reject", "reset", "restore", "roll_back"]),
        then=THEN,
    )
    def someone_decides(self, pick: int, what: str, then: str) -> None:
        self.run(self._decide(pick, what))
        self.then(then)

    # -- the network

    @rule(
        where=SITES,
        kind=st.sampled_from(["lose", "duplicate", "delay", "shuffle"]),
        times=st.integers(1, 3),
    )
    def mail_goes_wrong(self, where: str, kind: str, times: int) -> None:
        fault = DeliveryFault(kind, times=times, seconds=90.0)  # type: ignore[arg-type]
        self._at(where).jira.outbox.faults.append(fault)

    @rule(
        where=SITES,
        request=REQUESTS,
        kind=st.sampled_from(
            ["error_before", "error_after", "drop_after", "drop_before", "rate_limited",
             "anonymous", "html", "truncated", "unauthorized", "issue_error"]
        ),
        times=st.integers(1, 3),
        then=THEN,
    )  # fmt: skip
    def requests_go_wrong(
        self, where: str, request: tuple[str, str], kind: str, times: int, then: str
    ) -> None:
        fault = Fault(kind, *request, times=times)  # type: ignore[arg-type]
        self._at(where).jira.faults.add(fault)
        self.then(then)

    @rule(
        where=SITES,
        request=REQUESTS,
        when=st.sampled_from(["before", "after"]),
        act=st.sampled_from(["link", "unlink", "anew", "turn"]),
        kind=TYPES, ends=ENDS, pick=PICK, then=THEN,
    )  # fmt: skip
    def someone_acts_between_our_requests(
        self, where: str, request: tuple[str, str], when: str, act: str,
        kind: str, ends: tuple[int, int], pick: int, then: str,
    ) -> None:  # fmt: skip
        at = self._at(where)
        actions: dict[str, Callable[[], object]] = {
            "link": lambda: self._link(at, "bob", kind, ends),
            "unlink": lambda: self._unlink(at, "bob", pick),
            "anew": lambda: self._anew(at, pick, turned=False),
            "turn": lambda: self._anew(at, pick, turned=True),
        }
        race = Fault(when, *request, times=1, action=actions[act])  # type: ignore[arg-type]
        at.jira.faults.add(race)
        self.then(then)

    # -- the engine

    @rule(size=st.sampled_from([1, 2, 100]), seconds=st.sampled_from([0.0, 0.5, 5.0, 120.0]))
    def a_worker_looks(self, size: int, seconds: float) -> None:
        self.clock.tick(seconds)
        self.run(self._work(size))

    @rule(where=SITES, request=REQUESTS, acted=st.booleans())
    def a_worker_dies(self, where: str, request: tuple[str, str], acted: bool) -> None:
        kind: Any = "after" if acted else "before"
        fault = Fault(kind, *request, times=1, action=die)
        at = self._at(where)
        at.jira.faults.plan.insert(0, fault)
        self.run(self._work(100))
        at.jira.faults.plan.remove(fault)

    @rule(compare=st.booleans())
    def the_dust_settles(self, compare: bool) -> None:
        if compare:
            self.run(self.world.resync())
        self.run(self._settle())

    # -- what holds

    @invariant()
    def nobodys_links_are_touched(self) -> None:
        if hasattr(self, "world"):
            self.sound = False
            oracle.untouched(self.world)
            self.sound = True
