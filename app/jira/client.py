"""The Jira client for the use cases: core values in, core values out.

Every method raises only `core.errors` (the table stands in `errors.py`). Absence is never
an answer: a requested issue that did not come back is in `Reading.unread`, with a reason.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial

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
    ProjectId,
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
from app.jira.http.network import Route, guarded_transport
from app.jira.http.options import Options
from app.jira.http.request import Call
from app.jira.http.response import CallRecord
from app.jira.http.sign_in import sign_in
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
"""Codes after which it is not certain any more that Jira recognises our account."""


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
        self._follow = options.types
        self._followed: list[LinkType] = []
        self._assurance = Assurance(self._check_pins, options.now)
        route = options.route(site)
        way = partial(_way, http, route)
        signed_in = sign_in(site.auth, way, options.timeout_seconds)
        self._transport = Transport(site, way(), options, signed_in, failed=self._note)
        self._flavour: Flavour = (
            Cloud(self._transport, site.base_url)
            if site.deployment == "cloud"
            else DataCenter(self._transport)
        )
        self._webhooks = WebhookAdmin(self._transport)

    async def aclose(self) -> None:
        await self._transport.aclose()

    # Our account and the site's identity

    async def myself(self) -> AccountId:
        """The id of the account that Jira sees as the caller."""
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
        """The last time, at most 60 s ago by our clock, at which Jira certainly recognised our
        account, was the pinned one, and had issue linking switched on. Asks again if that is
        older; concurrent callers share the request.

        Raises `Anonymous`, or `PermanentError` with code `account_changed`,
        `identity_changed`, `not_pinned` or `linking_disabled`.
        """
        return await self._assurance.obtain()

    def assured(self) -> bool:
        """Whether the last assurance is still valid. False after any anonymous answer."""
        return self._assurance.valid() is not None

    # Reading

    async def link_types(self) -> list[LinkType]:
        """Every link type of the site, with its wordings."""
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
        issue cannot be seen. For changelogs that a bulk answer cuts off."""
        histories = await self._flavour.histories(decimal(issue))
        if histories is None:
            return None
        try:
            return parse_histories(histories, self._flavour.shape)
        except MalformedError as odd:
            raise TransientError("bad_answer", str(odd)) from None

    async def whole_changelog(self, view: IssueView) -> IssueView | None:
        """*view* with the whole changelog of its issue, as far as Jira shows it now; None if the
        issue cannot be seen any more. If the answer lacks an entry of *view*, that is counted and
        the changelog is marked incomplete."""
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
        """Issues by their present or a former key, under the requested key. Issues that cannot be
        seen are left out, and so are malformed keys."""
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

        The index lags by seconds to minutes, so an issue that a page leaves out is not gone: read
        it with `read_issues` before any conclusion. Each issue has the time of its update.
        """
        return search_projects(
            self._flavour, projects, Wanted(field=field, updated=True), updated_since=updated_since,
            now=self._now(), unseen=unseen,
        )  # fmt: skip

    async def project_access(self, key: ProjectKey | ProjectId) -> ProjectAccess:
        """What Jira shows our account of one project, by key or id, and lets it do there."""
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
        """Send the create. Returns the answers 201 and 400, which prove nothing: read back.

        It leaves only with a valid assurance. Raises `NotSent` if it did not leave (also with code
        `send_before_passed`), `OutcomeUnknown` if it may have acted, `PermanentError` if Jira
        refused, with code `link_not_permitted` if the account lacks *Link issues*.
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
        """Send the delete. Returns the answers 200, 204, 400 and 404; errors as in `create_link`.
        With `ends`, the write counts against the budgets of both issues."""
        await self._assure_write(send_before)
        issues = (ends.source, ends.destination) if ends else ()
        call = deletion(self._flavour.api, link_id, issues, bulk=bulk, send_before=send_before)
        return deleted(await send(self._transport.call, call, self._is_known), call)

    # Webhooks of the site

    async def register_webhook(self, wanted: WebhookRequest) -> Webhook:
        """Make a webhook at the site, which takes an administrator's account."""
        self._refuse_if_read_only()
        return await self._webhooks.register(wanted)

    async def list_webhooks(self) -> list[Webhook]:
        """Those that the site's administrators made, ours and others."""
        return await self._webhooks.every()

    async def remove_webhook(self, webhook_id: str) -> bool:
        """Delete a webhook; False if Jira has none with this id."""
        self._refuse_if_read_only()
        return await self._webhooks.remove(webhook_id)

    async def _is_known(self) -> bool:
        return self.site.account_id in {None, await self.myself()}

    async def _assure_write(self, send_before: datetime | None) -> None:
        """Let no write leave without a valid assurance: we must not write to a copy of a site at
        its address, or as another account. Raises `NotSent`; reads and checks report what is
        wrong with the site."""
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
        types = await self._shown_link_types()
        if not types:
            raise PermanentError("linking_disabled")
        if self._follow is not None and types != self._followed:
            await self._follow(site, types)
            self._followed = types

    async def _shown_link_types(self) -> list[LinkType]:
        """A Jira with issue linking switched off answers 404 for every link, and lists none."""
        try:
            return await self.link_types()
        except PermanentError as error:
            if error.facts.get("status") == 404:
                return []
            raise


def _way(http: httpx.AsyncBaseTransport | None, route: Route) -> httpx.AsyncBaseTransport:
    return http or guarded_transport(route)
