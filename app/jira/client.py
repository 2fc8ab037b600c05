"""The Jira client that the use cases see: core values in, core values out.

Every method raises only `core.errors` (the table stands in `errors.py`). Absence is never
an answer: what was asked for and did not come back is in `Reading.unread`, with a reason.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import httpx

from app.core.errors import (
    NotSent,
    NotThePinned,
    PermanentError,
    TransientError,
    TwinlinkError,
)
from app.core.evidence import IssueView, LinkChange, Reading
from app.core.links import (
    AccountId,
    Ends,
    IssueId,
    IssueKey,
    Link,
    LinkId,
    LinkType,
    ProjectKey,
    TypeId,
)
from app.jira.bulk_read import read_by_id, resolve
from app.jira.changelog import parse_histories, with_whole
from app.jira.cloud import Cloud
from app.jira.datacenter import DataCenter
from app.jira.deployment import Flavour
from app.jira.http.access import BasicAuth, BearerAuth, SiteAccess
from app.jira.http.errors import facts, unexpected
from app.jira.http.malformed import MalformedError
from app.jira.http.network import guarded_transport
from app.jira.http.options import Options
from app.jira.http.request import Call
from app.jira.http.response import CallRecord
from app.jira.http.transport import Transport
from app.jira.identity_check import Assurance
from app.jira.payloads import ISSUE_KEY, Wanted, parse_link, parse_link_types
from app.jira.projects import Project, ProjectAccess, project_access, visible_projects
from app.jira.search import search_projects
from app.jira.webhooks.admin import Webhook, WebhookAdmin, WebhookRequest
from app.jira.writes import WriteAnswer, created, creation, decimal, deleted, deletion, send

__all__ = [
    "BasicAuth",
    "BearerAuth",
    "CallRecord",
    "JiraClient",
    "Options",
    "SiteAccess",
    "Webhook",
    "WebhookRequest",
    "WriteAnswer",
]

_DROPPING = frozenset({"anonymous", "captcha_required", "unauthorized", "redirected"})
"""Codes after which it is no longer certain that Jira knows us."""


class JiraClient:
    """One site. Safe to share between tasks; close it with `aclose`. `http` replaces the network
    in tests."""

    def __init__(
        self,
        site: SiteAccess,
        options: Options | None = None,
        *,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        options = options or Options()
        self.site = site
        self._read_only = options.read_only
        self._now = options.now
        self._odd = options.odd
        self._assurance = Assurance(self._check_pins, options.now)
        self._transport = Transport(
            site,
            http or guarded_transport(options.route),
            options,
            failed=self._note,
        )
        self._flavour: Flavour = (
            Cloud(self._transport, site.base_url)
            if site.deployment == "cloud"
            else DataCenter(self._transport)
        )
        self._webhooks = WebhookAdmin(self._transport)

    async def aclose(self) -> None:
        await self._transport.aclose()

    # Who we are, and who they are

    async def myself(self) -> AccountId:
        """The account that Jira takes us for."""
        call = Call("myself", "GET", f"{self._flavour.api}/myself")
        answer = await self._transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        account = self._flavour.account(answer.json_object())
        if account is None:
            raise TransientError("bad_answer", "no account id", facts(call, answer))
        return account

    async def identity(self) -> str:
        """Which Jira this is: stable text, equal on every call and after upgrades."""
        return await self._flavour.identity()

    async def assure(self) -> datetime:
        """When it was last certain that Jira knows us, is the one that was pinned, and has issue
        linking switched on: our clock, at most 60 s ago. Asks again where it is older; concurrent
        callers share.

        Raises `Anonymous`, or `PermanentError` with code `account_changed`,
        `identity_changed`, `not_pinned` or `linking_disabled`.
        """
        return await self._assurance.obtain()

    def assured(self) -> bool:
        """Whether the last assurance still holds. False once any answer came as nobody."""
        return self._assurance.valid() is not None

    # Reading

    async def link_types(self) -> list[LinkType]:
        call = Call("link_types", "GET", f"{self._flavour.api}/issueLinkType")
        answer = await self._transport.call(call)
        if answer.status != 200:
            raise unexpected(answer, call)
        try:
            return parse_link_types(answer.json())
        except MalformedError as odd:
            raise TransientError("bad_answer", str(odd), facts(call, answer)) from None

    async def read_issues(
        self,
        ids: Sequence[IssueId],
        *,
        changelog: bool = False,
        field: str | None = None,
        bulk: bool = False,
    ) -> Reading:
        """Any number of issues with their links, 100 a call.

        `at` is `app.core.authorship.NO_DATE` where an answer had no readable `Date`:
        nothing can then be proven to have happened after it. `unread` reasons:
        `not_returned`, `error`, `malformed`. `bulk` yields to live traffic.
        """
        return await read_by_id(self._flavour, ids, Wanted(changelog, field), bulk=bulk)

    async def changelog(self, issue: IssueId) -> tuple[LinkChange, ...] | None:
        """All Link items of one issue, oldest first, however many there are; None where the
        issue cannot be seen. For what a bulk answer cuts off."""
        histories = await self._flavour.histories(decimal(issue))
        if histories is None:
            return None
        try:
            return parse_histories(histories, self._flavour.shape)
        except MalformedError as odd:
            raise TransientError("bad_answer", str(odd)) from None

    async def whole_changelog(self, view: IssueView) -> IssueView | None:
        """*view* with the whole changelog of its issue, as far as Jira shows it now; None where the
        issue cannot be seen any more. An answer that lacks what *view* has is counted, and then
        the changelog is not complete."""
        changes = await self.changelog(view.ref.id)
        if changes is None:
            return None
        found = with_whole(view, changes)
        if not found.changes_complete and self._odd is not None:
            self._odd("changelog_shorter")
        return found

    async def resolve_keys(
        self, keys: Sequence[IssueKey], *, field: str | None = None
    ) -> dict[IssueKey, IssueView]:
        """Issues by the key that they have or once had, under the key that was asked for.
        One that cannot be seen, or has an odd key, is left out."""
        sound = [key for key in keys if ISSUE_KEY.fullmatch(key)]
        return await resolve(self._flavour, sound, Wanted(field=field))

    def search_issues(
        self,
        projects: Sequence[ProjectKey],
        *,
        updated_since: datetime | None = None,
        field: str | None = None,
        unseen: set[ProjectKey] | None = None,
    ) -> AsyncIterator[list[IssueView]]:
        """All issues of *projects* with their links, page by page, as bulk traffic. Projects that
        Jira does not show us enter *unseen*, see `search_projects`.

        The index lags by seconds to minutes, and what a page leaves out is not gone: look
        issues up with `read_issues` before concluding anything. Each says when it was updated.
        """
        return search_projects(
            self._flavour, projects, Wanted(field=field, updated=True), updated_since=updated_since,
            now=self._now(), unseen=unseen,
        )  # fmt: skip

    async def project_access(self, key: ProjectKey) -> ProjectAccess:
        return await project_access(self._transport, self._flavour.api, key)

    async def projects(self) -> list[Project]:
        """Those that Jira shows our account, by key."""
        paged = self.site.deployment == "cloud"
        return await visible_projects(self._transport, self._flavour.api, paged=paged)

    async def get_link(self, link_id: LinkId) -> Link | None:
        """The link under this id, with both ends. None is Jira's own 404: gone, or not
        permitted; a 404 that is not JSON came from something else and raises."""
        path = f"{self._flavour.api}/issueLink/{decimal(link_id)}"
        call = Call("issue_link", "GET", path)
        answer = await self._transport.call(call)
        if answer.status == 404:
            answer.json_object()
            return None
        if answer.status != 200:
            raise unexpected(answer, call)
        try:
            link = parse_link(answer.json())
        except MalformedError as odd:
            raise TransientError("bad_answer", str(odd), facts(call, answer)) from None
        if link.id != link_id:
            raise TransientError("bad_answer", "another link id", facts(call, answer))
        return link

    # Writing

    async def create_link(
        self,
        type_id: TypeId,
        source: IssueId,
        destination: IssueId,
        *,
        bulk: bool = False,
        send_before: datetime | None = None,
    ) -> WriteAnswer:
        """201 and 400 come back as answers, and neither proves anything: read back.

        Whoever calls, it leaves only with a valid assurance. Raises `NotSent` where nothing left
        (also code `send_before_passed`), `OutcomeUnknown` where it may have acted,
        `PermanentError` where Jira refused, with code `link_not_permitted` where the account
        lacks *Link issues*.
        """
        await self._assure_write(send_before)
        call = creation(
            self._flavour.api,
            type_id,
            Ends(source, destination),
            bulk=bulk,
            send_before=send_before,
        )
        return created(await send(self._transport.call, call, self._is_known), call)

    async def delete_link(
        self,
        link_id: LinkId,
        *,
        ends: Ends | None = None,
        bulk: bool = False,
        send_before: datetime | None = None,
    ) -> WriteAnswer:
        """200, 204, 400 and 404 come back as answers; errors as in `create_link`. `ends`
        lets the write count against the budgets of both issues."""
        await self._assure_write(send_before)
        issues = (ends.source, ends.destination) if ends else ()
        call = deletion(self._flavour.api, link_id, issues, bulk=bulk, send_before=send_before)
        return deleted(await send(self._transport.call, call, self._is_known), call)

    # Webhooks of the site

    async def register_webhook(self, wanted: WebhookRequest) -> Webhook:
        self._refuse_if_read_only()
        return await self._webhooks.register(wanted)

    async def list_webhooks(self) -> list[Webhook]:
        return await self._webhooks.every()

    async def remove_webhook(self, webhook_id: str) -> bool:
        """False where Jira has none under this id."""
        self._refuse_if_read_only()
        return await self._webhooks.remove(webhook_id)

    async def _is_known(self) -> bool:
        return self.site.account_id in {None, await self.myself()}

    async def _assure_write(self, send_before: datetime | None) -> None:
        """No write leaves without it, whatever its caller has asked: a copy of a site behind its
        address, or another account, must not be written to. Raises `NotSent`: looks and checks
        are who says what is wrong with the site."""
        self._refuse_if_read_only()
        if send_before is not None and send_before <= self._now():
            raise NotSent("send_before_passed")
        try:
            await self.assure()
        except TwinlinkError as error:
            wait = error.retry_after if isinstance(error, TransientError) else None
            raise NotSent(error.code, error.detail, error.facts, wait) from None

    def _refuse_if_read_only(self) -> None:
        if self._read_only():
            raise PermanentError("read_only")

    def _note(self, error: TwinlinkError) -> None:
        if error.code in _DROPPING:
            self._assurance.drop()

    async def _check_pins(self) -> None:
        site = self.site
        if site.account_id is None or site.identity is None:
            raise PermanentError("not_pinned")
        if await self.identity() != site.identity:
            raise NotThePinned("identity_changed")
        if await self.myself() != site.account_id:
            raise NotThePinned("account_changed")
        if not await self._shows_link_types():
            raise PermanentError("linking_disabled")

    async def _shows_link_types(self) -> bool:
        """A Jira with issue linking switched off answers 404 for every link, and lists none."""
        try:
            return bool(await self.link_types())
        except PermanentError as error:
            if error.facts.get("status") == 404:
                return False
            raise
