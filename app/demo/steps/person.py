"""One link, followed from the person's click to the audit row."""

import hashlib
import hmac
from typing import Any

from app.demo import people, truth
from app.demo.failed import DemoFailed, check
from app.demo.service import CONNECTION
from app.demo.stage import Stage
from app.demo.teller import Teller
from app.demo.waiting import until
from app.demo.wire import Sent
from app.sandbox.logbook import Mutation

_SHOWN = ("x-atlassian-webhook-identifier", "x-atlassian-webhook-flow", "x-hub-signature")


async def act(stage: Stage, tell: Teller) -> str:
    marks = {side: len(served.site.requests.entries) for side, served in stage.sites.items()}
    made_before, sent_before = len(stage.right.site.mutations), len(stage.wires["left"].sent)
    number = await people.link(stage.left, "ann", "A-1", "Blocks", "A-2")
    [click] = stage.left.site.mutations.select("created", link_id=number)
    clicked = click.at / 1000
    mirror = await _mirror(stage, made_before)
    took = mirror.at / 1000 - clicked
    await stage.quiet("one link")
    tell.say(f"ann links A-1 blocks A-2 on the left: link {number}.")
    _tell_webhook(tell, _webhook(stage, number, sent_before), clicked)
    tell.say("What Twinlink then asked of Jira, milliseconds after the click:")
    tell.table(("ms", "site", "call", "answer"), _calls(stage, marks, clicked), numbers=(0, 3))
    tell.proven(
        f"the mirror is link {mirror.link_id} on the right, {mirror.source_key} "
        f"{mirror.type_name} {mirror.destination_key}, in {took * 1000:.0f} ms"
    )
    row = await _audit_row(stage, mirror)
    tell.proven(
        f"audit row {row['id']}: {row['operation']} {row['status']}, because of "
        f"{row['cause']['kind']} {row['cause']['id']}, hash {row['hash'][:12]}…"
    )
    return f"mirrored as link {mirror.link_id} in {took * 1000:.0f} ms"


async def _mirror(stage: Stage, since: int) -> Mutation:
    async def look() -> list[Mutation]:
        stage.raise_for_ended()
        return truth.created(stage.right.site, since)

    [mirror] = await until("the mirror of A-1 blocks A-2", look)
    found = f"{mirror.source_key} {mirror.type_name} {mirror.destination_key}"
    check("the mirror", expected="B-1 Blockade B-2", found=found)
    return mirror


def _webhook(stage: Stage, number: int, since: int) -> Sent:
    """The delivery about this link, after an independent check of its signature."""
    for sent in stage.wires["left"].sent[since:]:
        if sent.event.get("issueLink", {}).get("id") == number:
            [hook] = stage.left.site.webhooks.values()
            assert hook.secret is not None
            ours = hmac.new(hook.secret.encode(), sent.body, hashlib.sha256).hexdigest()
            check("the signature", expected=f"sha256={ours}", found=sent.headers["x-hub-signature"])
            return sent
    raise DemoFailed(f"no webhook told of the link {number}")


def _tell_webhook(tell: Teller, sent: Sent, clicked: float) -> None:
    check(
        "the answer to the webhook", expected=(202, "accepted"), found=(sent.status, sent.verdict)
    )
    after, took = (sent.at - clicked) * 1000, sent.seconds * 1000
    tell.say(
        f"The left site's webhook, {after:.0f} ms after the click; answered {sent.status} "
        f"{sent.verdict} after {took:.0f} ms, when it was committed:"
    )
    body = sent.body.decode()
    tell.raw(
        [
            f"POST {sent.path} HTTP/1.1",
            *(f"{_titled(name)}: {sent.headers[name]}" for name in _SHOWN),
            "",
            *(body[at : at + tell.columns] for at in range(0, len(body), tell.columns)),
        ]
    )


def _titled(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _calls(stage: Stage, marks: dict[Any, int], clicked: float) -> list[tuple[str, ...]]:
    """In the order in which the sites answered them."""
    found = [
        (call.at / 1000 - clicked, side, f"{call.method} {call.path}", str(call.status))
        for side, served in stage.sites.items()
        for call in truth.calls(served.site, marks[side])
    ]
    return [(f"{max(0.0, at) * 1000:.0f}", *rest) for at, *rest in sorted(found)]


async def _audit_row(stage: Stage, mirror: Mutation) -> dict[str, Any]:
    rows = await stage.service.items(
        "audit", connection=CONNECTION, site="right", link_id=str(mirror.link_id), status="applied"
    )
    if len(rows) != 1 or rows[0]["operation"] != "create":
        raise DemoFailed(f"the audit has {len(rows)} outcomes for the link {mirror.link_id}")
    return rows[0]
