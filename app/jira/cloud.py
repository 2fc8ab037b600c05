"""Jira Cloud, REST v3: `issue/bulkfetch` and `search/jql`."""

import re
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from app.core.errors import PermanentError, TransientError
from app.core.links import AccountId
from app.jira.changelog import CLOUD_SHAPE
from app.jira.deployment import CHUNK, Batch, date_of, issues_of
from app.jira.http.errors import unexpected
from app.jira.http.request import Call
from app.jira.http.response import JsonObject
from app.jira.http.transport import Transport
from app.jira.payloads import Wanted, account_id
from app.jira.single_read import single, stated_base_url, visible

_GATEWAY = re.compile(r"/ex/jira/([0-9A-Za-z-]{1,64})/?")
"""`https://api.atlassian.com/ex/jira/{cloudId}`: where scoped tokens work (facts section 6)."""


class Cloud:
    """See `Flavour`."""

    api = "/rest/api/3"
    shape = CLOUD_SHAPE

    def __init__(self, transport: Transport, base_url: str) -> None:
        self._transport = transport
        self._path = urlsplit(base_url).path

    async def identity(self) -> str:
        """`cloud:<cloud id>`. Behind the gateway the address itself names it.

        `tenant_info` is in wide use but not part of the reference; where it answers 404 the
        base URL that Jira states is used, and a change between the two is a changed identity.
        """
        gateway = _GATEWAY.fullmatch(self._path)
        if gateway:
            return f"cloud:{gateway[1]}"
        answer = await self._transport.call(Call("tenant_info", "GET", "/_edge/tenant_info"))
        if answer.status == 404:
            return f"cloud:{await stated_base_url(self._transport, self.api)}"
        cloud_id = answer.json_object().get("cloudId") if answer.status == 200 else None
        if not isinstance(cloud_id, str) or not cloud_id:
            raise PermanentError("no_identity", facts={"status": answer.status})
        return f"cloud:{cloud_id}"

    async def by_id(self, ids: Sequence[str], wanted: Wanted, *, bulk: bool) -> Batch:
        """Left out silently: not found or not permitted. In `issueErrors`: could not be
        delivered now."""
        body: JsonObject = {"issueIdsOrKeys": list(ids), "fields": wanted.fields}
        if wanted.changelog:
            body["expand"] = ["changelog"]
        call = Call("bulkfetch", "POST", f"{self.api}/issue/bulkfetch", body, bulk=bulk)
        answer = await self._transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        page = answer.json_object()
        return Batch(issues_of(page), _failed(page), date_of(answer))

    async def by_key(self, keys: Sequence[str], wanted: Wanted) -> tuple[Batch, frozenset[str]]:
        """Bulk answers follow moves, but under the new key. If nothing came back that was not
        asked for by name, no asked key was moved, and the missing ones cannot be seen."""
        batch = await self.by_id(keys, wanted, bulk=False)
        if batch.keys <= set(keys):
            return batch, frozenset()
        return batch, frozenset(keys) - batch.keys

    async def one(self, key: str, wanted: Wanted) -> Batch:
        return await single(self._transport, self.api, key, wanted)

    async def histories(self, issue: str) -> list[object] | None:
        """Oldest first, so that new entries move no page."""
        path = f"{self.api}/issue/{issue}/changelog"
        found: list[object] = []
        while True:
            params = {"startAt": str(len(found)), "maxResults": str(CHUNK)}
            call = Call("changelog", "GET", path, params=params, bulk=True)
            answer = await visible(self._transport, call)
            if answer is None or answer.status == 404:
                return None
            page = answer.json_object()
            values, total = page.get("values"), page.get("total")
            if not isinstance(values, list) or not isinstance(total, int):
                raise TransientError("bad_answer", "no page of a changelog")
            found += values
            if len(found) >= total:
                return found
            if not values:
                raise TransientError("bad_answer", "empty page before the end")

    async def pages(self, jql: str, wanted: Wanted) -> AsyncIterator[list[object]]:
        token: str | None = None
        while True:
            body: JsonObject = {"jql": jql, "fields": wanted.fields, "maxResults": CHUNK}
            if token is not None:
                body["nextPageToken"] = token
            call = Call("search", "POST", f"{self.api}/search/jql", body, bulk=True)
            answer = await self._transport.call(call)
            if answer.status != 200:
                raise unexpected(answer, call)
            page = answer.json_object()
            yield issues_of(page)
            following = _next_token(page)
            if following is None:
                return
            if following == token:
                raise TransientError("bad_answer", "the same page token twice")
            token = following

    def account(self, myself: JsonObject) -> AccountId | None:
        return account_id(myself.get("accountId"))


def _failed(page: JsonObject) -> frozenset[str]:
    errors = page.get("issueErrors")
    if errors is None:
        return frozenset()
    if not isinstance(errors, list):
        raise TransientError("bad_answer", "issueErrors")
    return frozenset(str(error.get("id")) for error in errors if isinstance(error, dict))


def _next_token(page: JsonObject) -> str | None:
    """The token of the next page, None on the last. A page that is neither is an error: what
    it cuts off would read as absent."""
    token = page.get("nextPageToken")
    if isinstance(token, str) and token and page.get("isLast") is not True:
        return token
    if page.get("isLast") is True or ("isLast" not in page and token is None):
        return None
    raise TransientError("bad_answer", "not the last page, and no token")
