"""An operator at the REST interface of a running service: registers, waits, exports."""

import json
from collections.abc import Iterable
from typing import Any, Self

import httpx

from app.sandbox import Served, token_of
from tests.support.twinsites import ACCOUNT, SECRET, TYPES, TwinSites
from tests.support.waiting import until

CONNECTION = "ab"
ADMIN = "test-admin-token-0123456789"
"""The administrator that the settings of tests name."""
WIDE = {
    "hour": {"share": 0.5, "min": 500, "max": 500},
    "day": {"share": 0.5, "min": 2000, "max": 2000},
}
"""As many removals as any configuration may allow."""


def site_body(served: Served) -> dict[str, Any]:
    """The body that registers a site with its `twinlink` account."""
    site = served.site
    auth: dict[str, Any] = {"kind": "bearer", "token": token_of(site, ACCOUNT)}
    if site.flavour == "cloud":
        auth = {"kind": "basic", "email": site.user(ACCOUNT).email, "token": auth["token"]}
    return {
        "base_url": served.base_url,
        "deployment": site.flavour,
        "auth": auth,
        "webhook_secret": SECRET,
        "account_dedicated": True,
    }


def connection_body(**changes: Any) -> dict[str, Any]:
    return {
        "left": {"site": "left", "projects": ["A"]},
        "right": {"site": "right", "projects": ["B"]},
        "direction": "both",
        "link_types": [{"left": name, "right": name} for name in TYPES],
        "guard": WIDE,
        **changes,
    }


class Operator:
    """The administrator of the environment. Every refused call fails the test."""

    def __init__(self, api: str, token: str = ADMIN) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{api}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, **more: Any) -> Any:
        answer = await self._client.request(method, path, **more)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def connect(self, sites: TwinSites, **changes: Any) -> None:
        """Both sites and the connection `ab`, in shadow, without twins."""
        for served in sites.both:
            await self.call("PUT", f"/sites/{served.site.name}", json=site_body(served))
        await self.call("PUT", f"/connections/{CONNECTION}", json=connection_body(**changes))

    async def pair(self, keys: Iterable[tuple[str, str]]) -> None:
        rest = [{"left": left, "right": right} for left, right in keys]
        while rest:
            batch, rest = rest[:1000], rest[1000:]
            path = f"/connections/{CONNECTION}/twins"
            paired = await self.call("POST", path, json={"twins": batch})
            assert {it["status"] for it in paired["items"]} <= {"paired", "unchanged"}

    async def mode(self, mode: str) -> None:
        await self.call("PUT", f"/connections/{CONNECTION}/mode", json={"mode": mode})

    async def live(self, sites: TwinSites, *, seconds: float = 60.0, **changes: Any) -> None:
        """Connect and pair the sites, go live, and wait until everything that follows is done."""
        await self.connect(sites, **changes)
        await self.pair(sites.keys)
        await self.mode("live")
        await self.settled(sites, seconds=seconds)

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.call("GET", f"/connections/{CONNECTION}/status")
        return answer

    async def quiet(self) -> bool:
        now = await self.status()
        busy = ("backlog", "in_flight", "delayed", "resyncs", "unconfirmed")
        return all(now[name] == 0 for name in busy)

    async def settled(self, sites: TwinSites, *, seconds: float = 60.0) -> None:
        """Wait until every event has arrived, no work is left, and the sites have not changed."""

        async def at_rest() -> bool:
            before = sites.written
            if not sites.idle or not await self.quiet():
                return False
            return sites.at_rest_since(before)

        try:
            await until(at_rest, "quiet", seconds=seconds, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {await self.status()}, idle {sites.idle}") from None

    async def settled_deliveries(self, sites: TwinSites, *, seconds: float = 120.0) -> None:
        """Wait until every event has arrived; the work that it asks for may not be done yet."""
        await until(lambda: sites.idle, "deliveries", seconds=seconds)

    async def resync(self, sites: TwinSites, *, seconds: float = 60.0) -> dict[str, Any]:
        """Resync the whole connection and wait for its end; returns its figures."""
        path = f"/connections/{CONNECTION}/resyncs"
        begun = await self.call("POST", path, json={"dry_run": False})
        await self.settled(sites, seconds=seconds)
        figures: dict[str, Any] = await self.call("GET", f"/resyncs/{begun['id']}")
        return figures

    async def audit(self) -> list[dict[str, Any]]:
        """Every row, without the heads."""
        answer = await self._client.get("/audit/export")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return [line for line in lines if "head" not in line]

    async def approves_what_is_held(self) -> None:
        """Approve every plan of removals, once it is sealed."""

        async def undecided() -> list[dict[str, Any]]:
            plans = (await self.call("GET", f"/plans?connection={CONNECTION}"))["items"]
            return [
                plan
                for plan in plans
                if plan["kind"] == "removals" and plan["status"] in ("gathering", "held")
            ]

        async def sealed() -> bool:
            return all(plan["status"] == "held" for plan in await undecided())

        await until(sealed, "sealed", seconds=60)
        for plan in await undecided():
            body = {"digest": plan["digest"], "note": ""}
            await self.call("POST", f"/plans/{plan['id']}/approve", json=body)

    async def removals_held(self) -> list[dict[str, Any]]:
        """The changes of every plan of removals that is not decided yet."""
        plans = (await self.call("GET", f"/plans?connection={CONNECTION}"))["items"]
        whole = [await self.call("GET", f"/plans/{plan['id']}") for plan in plans]
        return [
            change
            for plan in whole
            if plan["kind"] == "removals" and plan["status"] in ("gathering", "held")
            for change in plan["changes"]
        ]
