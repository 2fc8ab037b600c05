"""Single reads, which are the same on Cloud and Data Center."""

from urllib.parse import quote

from app.core.errors import PermanentError
from app.jira.deployment import Batch, date_of
from app.jira.http.errors import unexpected
from app.jira.http.request import Call
from app.jira.http.response import Answer
from app.jira.http.transport import Transport
from app.jira.payloads import Wanted


async def single(transport: Transport, api: str, key: str, wanted: Wanted) -> Batch:
    """`GET issue/{key}` follows moves. 403 and 404 leave the batch empty: neither proves
    that the issue is gone."""
    params = {"fields": ",".join(wanted.fields)}
    if wanted.changelog:
        params["expand"] = "changelog"
    call = Call("issue", "GET", f"{api}/issue/{quote(key, safe='')}", params=params)
    answer = await visible(transport, call)
    if answer is None:
        return Batch()
    if answer.status == 404:
        return Batch(at=date_of(answer))
    return Batch([answer.json_object()], at=date_of(answer))


async def visible(transport: Transport, call: Call) -> Answer | None:
    """The answer 200 or 404; None for 403. Neither 403 nor 404 proves that something is gone."""
    try:
        answer = await transport.call(call)
    except PermanentError as error:
        if error.code == "forbidden":
            return None
        raise
    if answer.status not in {200, 404}:
        raise unexpected(answer, call)
    return answer


async def stated_base_url(transport: Transport, api: str) -> str:
    """The base URL that Jira itself states. It rarely changes, unlike the title and version."""
    answer = await transport.call(Call("server_info", "GET", f"{api}/serverInfo"))
    base_url = answer.json_object().get("baseUrl") if answer.status == 200 else None
    if not isinstance(base_url, str) or not base_url:
        raise PermanentError("no_identity", facts={"status": answer.status})
    return base_url.rstrip("/").lower()
