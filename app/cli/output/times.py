"""Times as people write them: `1h`, `yesterday`, `2026-11-28`, in this machine's zone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

_AGO = re.compile(r"(\d{1,6})\s*(s|sec|m|min|h|hours?|d|days?|w|weeks?)(\s+ago)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_WHAT = "1h, 30m, 2d, yesterday, 2026-11-28, 2026-11-28 14:30 or 2026-11-28T14:30:00Z"


def parsed(text: str, now: datetime, *, ahead: bool = False) -> datetime:
    """*now* is aware, in the zone of whoever wrote *text*. A length of time is before now, or
    *ahead* of it. Raises `ValueError`."""
    said = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1),
            "tomorrow": midnight + timedelta(days=1)}  # fmt: skip
    if said in days:
        return days[said]
    length = _AGO.fullmatch(said)
    if length is not None:
        seconds = timedelta(seconds=int(length[1]) * _UNITS[length[2][0]])
        return now + seconds if ahead else now - seconds
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=now.tzinfo)
        except ValueError:
            continue
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)


def _moment(text: str | None, *, ahead: bool) -> str | None:
    """As the API takes it."""
    if text is None:
        return None
    try:
        found = parsed(text, datetime.now().astimezone(), ahead=ahead)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write {_WHAT}") from None
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _past(text: str | None) -> str | None:
    return _moment(text, ahead=False)


def _future(text: str | None) -> str | None:
    return _moment(text, ahead=True)


def since(what: str) -> typer.models.OptionInfo:
    """An option that takes a time, most often one that is over."""
    option: typer.models.OptionInfo = typer.Option(
        metavar="TIME", help=f"{what}: 1h, yesterday, 2026-11-28 or a full time.", callback=_past
    )
    return option


def ends(what: str) -> typer.models.OptionInfo:
    """An option that takes a time to come."""
    option: typer.models.OptionInfo = typer.Option(
        metavar="TIME", help=f"{what}: 90d, 2030-01-31 or a full time.", callback=_future
    )
    return option


Since = Annotated[str | None, since("From this time")]
Until = Annotated[str | None, since("Before this time")]
