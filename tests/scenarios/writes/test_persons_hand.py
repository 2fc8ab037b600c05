"""A person undoes what we have just written, before we know ourselves that it was written."""

from dataclasses import replace

from app.core.links import AccountId
from app.core.own_accounts import Tenure
from app.jira.http.access import BearerAuth
from app.sandbox import token_of
from app.sync.monitor import verify
from app.sync.recovery import restore
from tests.scenarios.conftest import Duo
from tests.scenarios.recovery.restoring import apply, approve, ask, finish, removed, results
from tests.support.crash import killed
from tests.support.engine import ACCOUNT

POST, DELETE = ("POST", "^/issueLink$"), ("DELETE", "^/issueLink/")


async def die_at(duo: Duo, request: tuple[str, str]) -> None:
    await duo.world.deliver()
    async with killed(duo.right.jira, *request, acted=True):
        await duo.world.look()


async def test_a_mirror_that_a_person_removed_before_it_was_confirmed(duo: Duo) -> None:
    """The worker died after the POST. It was made, by the changelog, and bob did not want it."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await die_at(duo, POST)
    duo.world.clock.tick(5)
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    await duo.world.resync()
    await duo.world.settle()
    assert not duo.right.jira.links, "never made again against a person's will"
    assert len(duo.right.jira.mutations.select("created", ACCOUNT)) == 1


async def test_a_restored_link_that_a_person_removed_before_it_was_confirmed(duo: Duo) -> None:
    await removed(duo)
    plan = await ask(duo.world)
    await approve(duo.world, plan)
    async with killed(duo.right.jira, *POST, acted=True):
        await restore.run_once(duo.world.worker())
    duo.world.clock.tick(5)
    duo.bob.unlink(duo.mirror)
    await finish(duo.world, plan)
    print(await results(duo.world, plan))
    assert not duo.right.jira.links, "never made again against a person's will"


async def test_a_removal_that_was_open_when_the_account_changed(duo: Duo) -> None:
    """Our former account removed it: ours, and so it can be put back."""
    made = await duo.mirrored()
    duo.ann.unlink(made)
    await die_at(duo, DELETE)
    duo.world.clock.tick(2)
    jira, station = duo.right.jira, duo.right
    jira.add_user("service")
    now = duo.world.now()
    former = Tenure(AccountId(jira.user(ACCOUNT).key), None, now)
    station.access = replace(
        station.access,
        auth=BearerAuth(token_of(jira, "service")),
        account_id=AccountId(jira.user("service").key),
        account_since=now,
        former_accounts=(former,),
        version=2,
    )
    duo.world.ctx = duo.world.worker()
    await duo.world.settle()
    outcomes = [
        (row["status"], row["evidence"]["outcome"])
        for row in await duo.world.audit()
        if row["operation"] == "remove" and row["status"] != "intended"
    ]
    assert outcomes == [("applied", "confirmed_gone")]
    assert await verify.run_once(duo.world.ctx) == 0, "no alarm"
    plan = await ask(duo.world)
    assert (await apply(duo.world, plan))["P-2 P-3"].startswith("applied")
