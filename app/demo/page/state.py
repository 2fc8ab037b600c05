"""The data of the page: the sites from their own logs, the connection from Twinlink's REST API."""

from dataclasses import dataclass
from typing import Any

from app.demo import truth
from app.demo.failed import DemoFailed
from app.demo.page.feed import Feed
from app.demo.stage import SideName, Stage
from app.sandbox import JiraSite, Link
from app.sandbox.worlds import ACCOUNT

Json = dict[str, Any]
_TITLES = {"cloud": "Jira Cloud", "datacenter": "Jira Data Center"}


@dataclass
class View:
    stage: Stage
    feed: Feed

    async def state(self, after: int, known: dict[SideName, int]) -> Json:
        """*after*: the last entry of the feed that the page has; *known*: per site, how many
        changes it has seen, so that its links are sent only when they changed."""
        connection = await self._connection()
        await self.feed.refresh(None if connection is None else connection["guard"])
        return {
            "connection": connection,
            "sites": {side: self.site(side, known.get(side, -1)) for side in self.stage.sites},
            "feed": self.feed.after(after),
        }

    def choices(self) -> Json:
        """What a person can pick from on each site."""
        return {
            side: {
                "title": _TITLES[served.site.flavour],
                "url": served.base_url,
                "issues": [issue.key for issue in served.site.issues.values()],
                "types": [
                    {"name": kind.name, "words": kind.outward}
                    for kind in served.site.types.values()
                    if not kind.system
                ],
            }
            for side, served in self.stage.sites.items()
        }

    async def _connection(self) -> Json | None:
        """None until the story has made the connection."""
        try:
            connection = await self.stage.service.connection()
            status = await self.stage.service.status()
        except DemoFailed:
            return None
        names = ("mode", "direction", "paused", "guard")
        return {name: connection[name] for name in names} | {"status": status}

    def site(self, side: SideName, known: int) -> Json:
        site, baseline = self.stage.sites[side].site, self.stage.baselines[side]
        now, changes = baseline.now(site), len(site.mutations)
        others = truth.unmanaged(site)
        shown: Json = {
            "changes": changes,
            "links": len(site.links),
            "unmanaged": len(others),
            "fingerprint": now.short,
            "intact": not truth.trespasses(site) and others <= site.links.keys(),
        }
        if changes != known:
            shown["list"] = _links(site)
        return shown


def _links(site: JiraSite) -> list[Json]:
    """Newest first, with who made each."""
    makers = {entry.link_id: entry.actor for entry in site.mutations.select("created")}
    shown = [it for it in site.links.values() if not site.types[it.type_id].system]
    return [_link(site, it, makers) for it in sorted(shown, key=lambda it: -it.id)]


def _link(site: JiraSite, link: Link, makers: dict[int, str]) -> Json:
    maker = makers.get(link.id, "")
    return {
        "id": link.id,
        "source": site.issues[link.source].key,
        "words": site.types[link.type_id].outward,
        "destination": site.issues[link.destination].key,
        "by": maker,
        "ours": maker == ACCOUNT,
    }
