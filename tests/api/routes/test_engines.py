"""Versions as the API shows them, and their acceptance."""

import httpx

from app.api.auth.roles import V1
from app.core.recorded.engine import Count, Judged, Verdict
from app.core.recorded.evaluation import Rule
from app.store.upkeep import engines
from tests.api.conftest import Api

DIFFERS = Judged(Verdict.DIFFERS, 40, 1, (Count(Rule(1, "nothing", 7, "remove_mirror"), 9),))


async def entered(api: Api) -> None:
    async with api.services.database.transaction() as conn:
        await engines.enter(conn, "twinlink/5.28", DIFFERS, api.services.clock())


async def test_a_version_is_listed_with_its_differences(
    api: Api, client: httpx.AsyncClient
) -> None:
    await entered(api)
    [it] = (await client.get(f"{V1}/engines")).json()["items"]
    assert (it["engine"], it["verdict"], it["compared"]) == ("twinlink/5.28", "differs", 40)
    assert it["digest"] == DIFFERS.digest
    [one] = it["differences"]
    assert (one["outcome"], one["outcome_now"], one["count"]) == ("nothing", "remove_mirror", 9)


async def test_an_approver_accepts_it_by_its_digest(api: Api) -> None:
    await entered(api)
    approver, operator = await api.token("approver"), await api.token("operator")
    path, body = f"{V1}/engines/5.28/accept", {"digest": DIFFERS.digest}
    assert (await operator.post(path, json=body)).status_code == 403
    wrong = await approver.post(path, json={"digest": "0" * 64})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "engine_digest")
    done = await approver.post(path, json=body)
    assert (done.status_code, done.json()["verdict"]) == (200, "accepted")
    assert done.json()["accepted_by"]
    unknown = await approver.post(f"{V1}/engines/6/accept", json=body)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "engine_unknown")
