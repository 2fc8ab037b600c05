"""`ETag` is the revision, and `If-Match` protects a PUT from overwriting what it never saw."""

from fastapi import Response

from app.api.http.problems import Problem


def set_etag(response: Response, revision: int) -> None:
    response.headers["ETag"] = f'"{revision}"'


def check(if_match: str | None, current: int | None) -> None:
    """Raises `Problem` 412 where *current* (None: there is nothing yet) is not meant."""
    if if_match is None:
        return
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if current is None or not wanted & {"*", str(current)}:
        raise Problem("stale")
