"""The form that a browser sends: its fields, and files among them as text."""

from email.parser import BytesHeaderParser
from urllib.parse import parse_qsl

from starlette.requests import Request

LARGEST_FORM = 1024 * 1024
MOST_FIELDS = 2000
"""A map of link types has two for each type of a site."""
_FILES = "multipart/form-data"
_LONGEST_HEAD = 8 * 1024


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
    """The parts of RFC 7578, which neither nest nor are encoded. What is no UTF-8 in a file becomes
    visible signs; a mark of the byte order is dropped."""
    boundary = _parameter(f"Content-Type: {kind}".encode("latin-1", "replace"), "boundary")
    if not boundary:
        return {}
    delimiter = f"\r\n--{boundary}".encode("latin-1", "replace")
    found: dict[str, str] = {}
    for part in (b"\r\n" + body).split(delimiter, MOST_FIELDS)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if part.startswith(b"--") or not blank or len(head) > _LONGEST_HEAD:
            break
        name = _parameter(head.lstrip(), "name", "content-disposition")
        if name:
            found[name] = content.decode("utf-8-sig", "replace")
    return found


def _parameter(head: bytes, name: str, header: str = "content-type") -> str | None:
    found = BytesHeaderParser().parsebytes(head).get_param(name, header=header)
    return found if isinstance(found, str) else None
