"""A connection, printed."""

from typing import Any

from app.cli.output import output

_FIELDS: output.Columns = (
    ("name", "name"),
    ("left", "left"),
    ("right", "right"),
    ("direction", "direction"),
    ("link types", "link_types"),
    ("if a mirror is removed", "on_mirror_removed"),
    ("if an issue is deleted", "on_issue_deleted"),
    ("twins", "twins"),
    ("owners to approve", "approvals"),
    ("mode", "mode"),
    ("paused", "paused"),
    ("guard", "guard.state"),
    ("revision", "revision"),
)
_FINDINGS: output.Columns = (
    ("SIDE", "side"),
    ("SEVERITY", "severity"),
    ("FINDING", "code"),
    ("DETAIL", "detail"),
)


def show(connection: dict[str, Any], *, json: bool) -> None:
    if json:
        output.document(connection)
        return
    types = [_sentence(it) for it in connection["link_types"]]
    shown = connection | {"link_types": types, "twins": _twins(connection["twins"])}
    output.fields(shown, _FIELDS)
    if connection.get("findings"):
        output.table(_FINDINGS, connection["findings"], empty="")
    step = connection.get("next_command") or connection.get("next_step")
    if step:
        output.note(f"next: {step}")


def _twins(twins: dict[str, Any]) -> str:
    if twins.get("field") is None:
        return "by hand, from the API or a file"
    return f"from {twins['field']} on {twins['side']}"


def _sentence(pair: dict[str, Any]) -> str:
    return f"{pair['left']} = {pair['right']}{' reversed' if pair['reversed'] else ''}"
