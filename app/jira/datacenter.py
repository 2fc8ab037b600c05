"""Jira Data Center, REST v2: `search` by id, with `startAt` paging."""

from collections.abc import AsyncIterator, Sequence

from app.core.errors import PermanentError, TransientError
from app.core.links import AccountId
from app.jira.changelog import DATA_CENTER_SHAPE
from app.jira.deployment import CHUNK, Batch, date_of, issues_of
from app.jira.http.errors import unexpected
from app.jira.http.request import Call
from app.jira.http.response import Answer, JsonObject
from app.jira.http.transport import Transport
from app.jira.payloads import Wanted, account_id
from app.jira.single_read import single, stated_base_url, visible


class DataCenter:
    """See `Flavour`."""

    api = "/rest/api/2"
    shape = DATA_CENTER_SHAPE

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def identity(self) -> str:
        """`datacenter:<base URL that Jira itself states>`. Title and version may change."""
        return f"datacenter:{await stated_base_url(self._transport, self.api)}"

    async def by_id(self, ids: Sequence[str], wanted: Wanted, *, bulk: bool) -> Batch:
        return await self._named("id", ids, wanted, bulk=bulk)

    async def by_key(self, keys: Sequence[str], wanted: Wanted) -> tuple[Batch, frozenset[str]]:
        """Whether JQL finds an issue by a key that it had before a move is not documented, so
        every missing key is looked up singly."""
        quoted = [f'"{key}"' for key in keys]
        batch = await self._named("key", quoted, wanted, bulk=False)
        return batch, frozenset(keys) - batch.keys

    async def one(self, key: str, wanted: Wanted) -> Batch:
        return await single(self._transport, self.api, key, wanted)

    async def histories(self, issue: str) -> list[object] | None:
        """It comes whole with its issue; there is no other address for it."""
        params = {"fields": "project", "expand": "changelog"}
        path = f"{self.api}/issue/{issue}"
        call = Call("changelog", "GET", path, params=params, bulk=True)
        answer = await visible(self._transport, call)
        if answer is None or answer.status == 404:
            return None
        page = answer.json_object().get("changelog")
        histories = page.get("histories") if isinstance(page, dict) else None
        if not isinstance(page, dict) or not isinstance(histories, list):
            raise TransientError("bad_answer", "no changelog")
        if page.get("total") != len(histories):
            raise TransientError("bad_answer", "a changelog that is cut off")
        return histories

    async def pages(self, jql: str, wanted: Wanted) -> AsyncIterator[list[object]]:
        start = 0
        while True:
            # Validated: else a project that is not shown to us would be left out in silence.
            answer = await self._search(jql, wanted, start, bulk=True, validate=True)
            page = answer.json_object()
            issues = issues_of(page)
            yield issues
            start += len(issues)
            if _last(page, start, len(issues)):
                return

    def account(self, myself: JsonObject) -> AccountId | None:
        return account_id(myself.get("key"))

    async def _named(
        self, clause: str, names: Sequence[str], wanted: Wanted, *, bulk: bool
    ) -> Batch:
        """All of *names* by one search. A 400 may mean that one of them is hidden (facts
        section 4): the halves are asked apart, so that one issue does not blind the others."""
        jql = f"{clause} in ({','.join(names)}) ORDER BY key ASC"
        try:
            return await self._whole(jql, wanted, bulk=bulk)
        except PermanentError as error:
            if error.facts.get("status") != 400:
                raise
        if len(names) == 1:
            return await self.one(names[0].strip('"'), wanted)
        middle = len(names) // 2
        first = await self._named(clause, names[:middle], wanted, bulk=bulk)
        return first.joined(await self._named(clause, names[middle:], wanted, bulk=bulk))

    async def _whole(self, jql: str, wanted: Wanted, *, bulk: bool) -> Batch:
        batch: Batch | None = None
        start = 0
        while True:
            answer = await self._search(jql, wanted, start, bulk=bulk)
            page = answer.json_object()
            part = Batch(issues_of(page), at=date_of(answer))
            batch = part if batch is None else batch.joined(part)
            start += len(part.issues)
            if _last(page, start, len(part.issues)):
                return batch

    async def _search(
        self, jql: str, wanted: Wanted, start: int, *, bulk: bool, validate: bool = False
    ) -> Answer:
        # The POST body takes a boolean; "warn" and "none" belong to Cloud's former search.
        # False lets ids that do not exist, or are hidden, pass without an error.
        body: JsonObject = {
            "jql": jql,
            "startAt": start,
            "maxResults": CHUNK,
            "fields": wanted.fields,
            "validateQuery": validate,
        }
        if wanted.changelog:
            body["expand"] = ["changelog"]
        call = Call("search", "POST", f"{self.api}/search", body, bulk=bulk)
        answer = await self._transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        return answer


def _last(page: JsonObject, read: int, shown: int) -> bool:
    """True at the end. A page that shows nothing before `total` is reached is an error: what
    it holds back would read as absent."""
    total = page.get("total")
    if not isinstance(total, int) or isinstance(total, bool):
        raise TransientError("bad_answer", "no total")
    if read < total and shown == 0:
        raise TransientError("bad_answer", "empty page before the end")
    return read >= total
