"""The ordinary faults of real sites: a delivery sent twice, and a 429 to our write."""

from app.demo import people, truth
from app.demo.failed import check
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.demo.wire import Sent
from app.sandbox import DeliveryFault, Fault
from app.sandbox.worlds import ACCOUNT

_RETRY_AFTER = 1


async def act(stage: Stage, tell: Teller) -> str:
    left, right = stage.left.site, stage.right.site
    [(source, destination)] = people.free_pairs(stage.world, 1)
    twice = DeliveryFault("duplicate", event="issuelink_created", times=1)
    limited = Fault(
        "rate_limited", "POST", "^/issueLink$", times=1, account=ACCOUNT, retry_after=_RETRY_AFTER
    )
    left.outbox.faults.append(twice)
    right.faults.add(limited)
    sent, asked = len(stage.wires["left"].sent), len(right.requests.entries)
    made = len(right.mutations)
    try:
        number = await people.link(stage.left, "bob", source, "Relates", destination)
        await stage.quiet("a link on a rough day")
    finally:
        left.outbox.faults.remove(twice)
        right.faults.clear()
    deliveries = [it for it in stage.wires["left"].sent[sent:] if _tells_of(it, number)]
    await _tell_deliveries(stage, tell, deliveries)
    waited = _tell_limit(tell, [(it.status, it.at) for it in truth.writes(right, asked)])
    check("links made on the right", expected=1, found=len(truth.created(right, made)))
    tell.proven(f"{source} relates to {destination} has exactly one mirror, after all that")
    return f"kept once, waited {waited:.1f} s, mirrored once"


def _tells_of(sent: Sent, number: int) -> bool:
    found: int = sent.event.get("issueLink", {}).get("id", 0)
    return found == number


async def _tell_deliveries(stage: Stage, tell: Teller, sent: list[Sent]) -> None:
    verdicts = sorted(it.verdict for it in sent)
    check("the answers to both", expected=["accepted", "duplicate"], found=verdicts)
    [identifier] = {it.identifier for it in sent}
    kept = await stage.service.items("deliveries", site="left")
    check(
        "deliveries kept",
        expected=1,
        found=sum(it["delivery"] == identifier for it in kept),
    )
    tell.proven(
        f"delivery {identifier[:12]}… came twice: answered accepted and duplicate, kept once"
    )


def _tell_limit(tell: Teller, answers: list[tuple[int, int]]) -> float:
    """*answers*: status and time in milliseconds of each write."""
    check("the answers to our write", expected=[429, 201], found=[status for status, _ in answers])
    waited = (answers[1][1] - answers[0][1]) / 1000
    check("Retry-After heeded", expected=True, found=waited >= _RETRY_AFTER)
    tell.proven(
        f"the right answered 429, Retry-After: {_RETRY_AFTER}; the write came again after "
        f"{waited:.1f} s and was answered 201"
    )
    return waited
