"""The result: the earlier links are still there, and every removal is accounted for."""

from app.demo import truth
from app.demo.failed import check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.demo.waiting import until

_OVER = {"accepted", "refused", "failed"}


async def act(stage: Stage, tell: Teller) -> str:
    rows = []
    for side, served in stage.sites.items():
        before, now = stage.baselines[side].fingerprint, stage.baselines[side].now(served.site)
        check(f"unmanaged links of {side}", expected=before, found=now)
        check(f"foreign links removed on {side}", expected=[], found=truth.trespasses(served.site))
        rows.append((side, str(before.count), before.short, str(now.count), now.short))
    tell.table(
        ("site", "unmanaged before", "fingerprint", "now", "fingerprint"), rows, numbers=(1, 3)
    )
    tell.proven("the fingerprints are equal, by the sites' own logs, not by our tables")
    removed = await accounted_for(stage, CONNECTION)
    tell.proven(
        f"each of the {removed} links that Twinlink removed, it had made, and the audit says so"
    )
    tell.proven(f"the audit's hash chain holds over all of its {await verified(stage)} rows")
    return f"fingerprints equal; {removed} removals, all our own"


async def accounted_for(stage: Stage, *connections: str) -> int:
    """The removals in the sites' logs are those in the audit, link by link."""
    outcomes = [
        row
        for name in connections
        for row in await stage.service.items(
            "audit", connection=name, operation="remove", status="applied"
        )
    ]
    audited = sorted((row["site"], int(row["link_id"])) for row in outcomes)
    logged = sorted(
        (side, entry.link_id)
        for side, served in stage.sites.items()
        for entry in truth.removed(served.site)
    )
    check("removals in the audit", expected=logged, found=audited)
    return len(logged)


async def verified(stage: Stage) -> int:
    """How many rows of the audit were checked and are unchanged."""
    asked = await stage.service.post("audit/verifications")

    async def over() -> bool:
        found = await stage.service.get(f"audit/verifications/{asked['id']}")
        return found["status"] in _OVER

    await until("the verification of the audit", over)
    found = await stage.service.get(f"audit/verifications/{asked['id']}")
    check("the audit's chain", expected="accepted", found=found["status"])
    return int(found["rows"])
