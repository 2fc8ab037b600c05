"""Values in JQL: dates in the caller's zone, custom fields, what Jira says of unknown ones."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from app.sandbox.model import Issue, Refusal, User
from app.sandbox.site import JiraSite
from app.sandbox.times import zone

UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
FORMATS = ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y-%m-%d")
SYSTEM = {
    "issuetype": "issuetype",
    "type": "issuetype",
    "status": "status",
    "summary": "summary",
    "text": "summary",
    "priority": "priority",
    "labels": "labels",
    "reporter": "reporter",
}


def instant(site: JiraSite, user: User | None, text: str) -> int:
    """Milliseconds of "yyyy/MM/dd HH:mm", of -5m and its like, or of a number of milliseconds."""
    relative = re.fullmatch(r"([+-]?)(\d+)([mhdw])", text)
    if relative is not None:
        sign = -1 if relative.group(1) == "-" else 1
        seconds = sign * int(relative.group(2)) * UNITS[relative.group(3)]
        return site.now() + seconds * 1000
    if text.isdigit():
        return int(text)
    for form in FORMATS:
        try:
            made = datetime.strptime(text, form)  # noqa: DTZ007 - the reader's zone comes below
        except ValueError:
            continue
        own = zone("Etc/UTC" if user is None else user.time_zone)
        return int(made.replace(tzinfo=own).timestamp() * 1000)
    raise Refusal(
        400,
        f"Date value '{text}' for field 'updated' is invalid. Valid formats include: "
        "'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format "
        "e.g. '-5d', '4w 2d'.",
    )


def missing_value(site: JiraSite, user: User | None, field: str, value: str) -> str | None:
    """Jira's complaint about a project or issue that is not there for this caller."""
    if field == "project":
        project = site.project(value)
        if project is None or project.archived or not site.can(user, "BROWSE_PROJECTS", project):
            return f"The value '{value}' does not exist for the field 'project'."
    elif field in ("id", "key", "issue", "issuekey"):
        issue = site.find(value)
        if issue is None or not site.can_browse(user, issue):
            if value.isdigit():
                return f"A value with ID '{value}' does not exist for the field '{field}'."
            return f"An issue with key '{value}' does not exist for field '{field}'."
    return None


def matches_value(
    site: JiraSite, issue: Issue, field: str, op: str, values: tuple[str, ...]
) -> bool:
    """System text fields and custom fields: by `cf[id]` or by name."""
    held: Any
    if field in SYSTEM:
        held = getattr(issue, SYSTEM[field])
    else:
        held = issue.custom.get(_custom(site, field))
    if op in ("is", "is not"):
        return bool(held) is (op == "is not")
    texts = [str(one).casefold() for one in held] if isinstance(held, tuple) else (
        [] if held is None else [str(held).casefold()]
    )  # fmt: skip
    wanted = [value.casefold() for value in values]
    if op in ("~", "!~"):
        return any(wanted[0].strip('"*') in text for text in texts) is (op == "~")
    hit = any(text in wanted for text in texts)
    return hit if op in ("=", "in") else not hit


def _custom(site: JiraSite, field: str) -> str:
    numbered = re.fullmatch(r"cf\[(\d+)\]", field)
    for made in site.custom_fields.values():
        named = numbered is not None and made.number == int(numbered.group(1))
        if named or made.name.casefold() == field:
            return made.id
    raise Refusal(400, f"Field '{field}' does not exist or you do not have permission to view it.")
