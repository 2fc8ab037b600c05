"""The form that a browser sends: its fields, and files among them as text."""

from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from starlette.requests import Request

LARGEST_FORM = 1024 * 1024
MOST_FIELDS = 2000
"""A map of link types has two for each type of a site."""
_FILES = "multipart/form-data"


def too_large(request: Request) -> bool:
    """Whether the browser says so before it sends it."""
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) > LARGEST_FORM


async def form_of(request: Request, largest: int = LARGEST_FORM) -> dict[str, str]:
    """The fields of a form; a form beyond the limit counts as empty, so its CSRF check fails."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            return {}
    kind = request.headers.get("content-type", "")
    try:
        if kind.lower().startswith(_FILES):
            return _with_files(kind, bytes(body))
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def _with_files(kind: str, body: bytes) -> dict[str, str]:
    """What is no UTF-8 in a file becomes visible signs; a mark of the byte order is dropped."""
    head = f"Content-Type: {kind}\r\n\r\n".encode("ascii", "replace")
    whole = BytesParser(policy=HTTP).parsebytes(head + body)
    found: dict[str, str] = {}
    for part in whole.iter_parts() if whole.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes) and len(found) < MOST_FIELDS:
            found[name] = content.decode("utf-8-sig", "replace")
    return found
