"""What real sites do that none of Jira's documents says: the very same link twice, changelogs that
come empty, a CAPTCHA, an index that lags for hours, deliveries without a signature, other words."""

import json
from random import Random

from app.sandbox import Fault, Refusal
from tests.simulation.ground import Ground
from tests.support.engine import SECRET

WORDS = ("This issue {wording} {key}", "This work item {wording} {key}")
"""Both styles of Cloud: entries keep the one that they were written in."""


class Oddities:
    """Every method is one act; it answers a line for the trace."""

    def __init__(self, ground: Ground, random: Random) -> None:
        self.ground = ground
        self.random = random

    def same_link_twice(self) -> str:
        """A person makes a link once more that is there; or, from now on, whoever does."""
        name = self.random.choice(self.ground.names)
        station = self.ground.world.stations[name]
        if self.random.random() < 0.2:
            station.jira.quirks.same_link_twice = True
            return f"{name}: a create makes a link twice from now on"
        links = sorted(station.jira.links)
        if not links:
            return ""
        link = station.jira.links[self.random.choice(links)]
        self.ground.world.clock.tick(0.002)
        try:
            made = station.person("root").link_again(link)
        except Refusal:
            return f"{name}: {link.id} is at an archived issue"
        return f"{name}: {link.id} stands once more ({made.id})"

    def changelogs_come_empty(self) -> str:
        name = self.random.choice(self.ground.names)
        jira = self.ground.world.stations[name].jira
        times = self.random.randint(1, 3)
        if jira.flavour == "cloud":
            jira.faults.add(Fault("empty_changelog", "GET", "/changelog$", times=times))
        else:
            jira.faults.add(Fault("altered", "GET", "^/issue/", times=times, change=_emptied))
        return f"{name}: {times} changelogs come empty"

    def wants_a_captcha(self) -> str:
        """With the next call; until a person unlocks the site no call leaves."""
        name = self.random.choice(self.ground.names)
        self.ground.world.stations[name].jira.faults.add(Fault("captcha", times=1))
        return f"{name}: it will want a CAPTCHA"

    def unlocks(self) -> str:
        locked = [name for name, it in self.ground.world.stations.items() if it.access.locked]
        for name in locked:
            self.ground.unlock(name)
        return f"{', '.join(locked)}: a person solves the CAPTCHA" if locked else ""

    def words_it_otherwise(self) -> str:
        name = self.random.choice(self.ground.names)
        quirks = self.ground.world.stations[name].jira.quirks
        quirks.link_text = next(it for it in WORDS if it != quirks.link_text)
        return f"{name}: changelogs say {quirks.link_text[:9]!r}"

    def index_lags(self) -> str:
        name = self.random.choice(self.ground.names)
        seconds = self.random.choice((0.0, 600.0, 6 * 3600.0))
        self.ground.world.stations[name].jira.lag.search = seconds
        return f"{name}: the index lags by {seconds:.0f} s"

    def signs_nothing(self) -> str:
        """Or again, if it did not."""
        name = self.random.choice(self.ground.names)
        for hook in self.ground.world.stations[name].jira.webhooks.values():
            hook.secret = None if hook.secret else SECRET
            return f"{name}: deliveries are {'signed' if hook.secret else 'unsigned'}"
        return ""


def _emptied(body: bytes) -> bytes:
    """An issue whose changelog has no entries."""
    try:
        issue = json.loads(body)
    except ValueError:
        return body
    if isinstance(issue, dict) and "changelog" in issue:
        issue["changelog"] |= {"histories": [], "total": 0}
    return json.dumps(issue).encode()
