"""What a change of a connection would do, for a person to read before it is made."""

from typing import Any

from app.cli.client.api_client import Service
from app.cli.output import output
from app.cli.output.options import counted


def preview(api: Service, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """The service's answer; nothing is stored."""
    found: dict[str, Any] = api.post(f"connections/{name}/difference", body)
    return found


def say(name: str, found: dict[str, Any]) -> None:
    """Print each change and what follows for the links, on standard error."""
    if not found["changes"]:
        output.note(f"{name} has this configuration already")
        return
    output.note(f"{name} would change:")
    for change in found["changes"]:
        output.note(f"  {change['field'].replace('_', ' ')}")
        before, after = change["before"], change["after"]
        for gone in (it for it in before if it not in after):
            output.note(f"    - {gone}")
        for new in (it for it in after if it not in before):
            output.note(f"    + {new}")
        if set(before) == set(after):
            output.note(f"    order: {', '.join(after)}")
    for effect in effects(found):
        output.note(f"  {effect}")


def effects(found: dict[str, Any]) -> list[str]:
    """What follows for the links, a sentence each."""
    said = []
    if found["suspended"]:
        of = counted(found["managed"], "managed link")
        said.append(f"{found['suspended']} of {of} would be suspended: kept, no longer in step")
    if found["resumed"]:
        said.append(f"{counted(found['resumed'], 'suspended link')} would be in step again")
    said += [f"it would also write to {site}" for site in found["newly_written"]]
    return said
