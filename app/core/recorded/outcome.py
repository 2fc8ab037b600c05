"""A decision as text that is compared, not read: two decisions are the same if their texts are."""

import json
from collections.abc import Mapping
from typing import Any, assert_never

from app.core.diff import (
    CreateMirror,
    Decision,
    Detach,
    Forget,
    InStep,
    ManageAgain,
    Nothing,
    Prove,
    RecordPreexisting,
    RemoveMirror,
    Wait,
)
from app.core.recorded.inputs import Inputs

_WORDS: Mapping[type[Decision], str] = {
    Nothing: "nothing",
    InStep: "in_step",
    CreateMirror: "create_mirror",
    RemoveMirror: "remove_mirror",
    RecordPreexisting: "record_preexisting",
    Detach: "detach",
    ManageAgain: "manage_again",
    Forget: "forget",
    Prove: "prove",
    Wait: "wait",
}
WORDS = frozenset(_WORDS.values())


def word(decision: Decision) -> str:
    """The kind of the decision, as a stable word."""
    return _WORDS[type(decision)]


def row(decision: Decision) -> int:
    """The row of the decision table; 0 where proof is sought first."""
    return 0 if isinstance(decision, Prove) else decision.row


def text(decision: Decision) -> str:
    """All of the decision, in one form."""
    return json.dumps(
        {"outcome": word(decision), "row": row(decision), **_details(decision)},
        separators=(",", ":"),
        sort_keys=True,
    )


def changes(inputs: Inputs, decision: Decision) -> bool:
    """Whether it changes a link or what is known of one."""
    match decision:
        case CreateMirror() | RemoveMirror() | RecordPreexisting() | Detach() | ManageAgain():
            return True
        case Forget():
            return inputs.row is not None
        case InStep(origin_id=origin_id):
            known = inputs.row
            return known is None or known.link_on(known.origin) != origin_id
        case Nothing() | Prove() | Wait():
            return False
    assert_never(decision)


def _details(decision: Decision) -> dict[str, Any]:
    match decision:
        case Nothing() | Forget():
            return {}
        case InStep(origin_id=origin) | ManageAgain(origin_id=origin):
            return {"origin_id": origin}
        case CreateMirror(origin=side, origin_id=origin):
            return {"origin": side.value, "origin_id": origin}
        case RemoveMirror(mirror=side, mirror_id=mirror):
            return {"mirror": side.value, "mirror_id": mirror}
        case RecordPreexisting(origin=side, origin_id=origin, mirror_id=mirror):
            return {"origin": side.value, "origin_id": origin, "mirror_id": mirror}
        case Detach(vanished=vanished, keep_mirror_id=keep):
            return {"vanished": vanished, "keep_mirror_id": keep}
        case Prove(sides=sides):
            return {"sides": sorted(side.value for side in sides)}
        case Wait(reason=reason):
            return {"reason": reason}
    assert_never(decision)
