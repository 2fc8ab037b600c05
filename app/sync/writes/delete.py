"""Delete links: the two reads that are the last proof, and the one DELETE of this service.

Whatever asks for a removal (a look, an approved plan, an undo) comes through `carry_out`, with an
intent that is committed. Immediately before the DELETE two reads have to agree with it: the link by
its id, which has the same type, ends and direction, and the changelogs of its ends, which name our
account for its latest standing addition. What the ledger remembers of its author is no proof: a
Jira that went back in time hands out ids again.
"""

from collections.abc import Sequence

from app.core.errors import NotSent, OutcomeUnknown, PermanentError, SiteLocked, TransientError
from app.core.ledger import Authorship
from app.core.links import Ends, Link, LinkType
from app.core.operations import Status
from app.core.results import Deleted, Failed, Removed, Retry, SiteRefused, Stale, StillOpen
from app.jira.client import JiraClient
from app.store.guard import held_changes
from app.store.links import doubts, ledger
from app.store.writes import intents
from app.store.writes.intents import Intent
from app.sync.guard import site_went_back
from app.sync.runtime.context import Context
from app.sync.runtime.side_by_side import WRITES_AT_ONCE, side_by_side
from app.sync.writes.author_proof import Asked, authors
from app.sync.writes.outcome import Outcome, settle


async def carry_out(
    ctx: Context, connection_id: int, granted: Sequence[tuple[Intent, LinkType]]
) -> dict[int, Deleted]:
    """Read each link once more, delete it, commit what is known; what each came to, by its
    intent's id."""

    async def one(each: tuple[Intent, LinkType]) -> tuple[Outcome | None, Deleted]:
        return await _remove_one(ctx, *each)

    ended = await side_by_side(WRITES_AT_ONCE, one, granted)
    await settle(ctx, connection_id, [outcome for outcome, _ in ended if outcome is not None])
    intent_ids = [intent.id for intent, _ in granted]
    unknown = [each for each, (it, _) in zip(intent_ids, ended, strict=True) if it is None]
    if unknown:
        async with ctx.database.connection() as conn:
            await intents.mark_unconfirmed(conn, unknown, ctx.clock())
    return {each: result for each, (_, result) in zip(intent_ids, ended, strict=True)}


async def _remove_one(
    ctx: Context, intent: Intent, kind: LinkType
) -> tuple[Outcome | None, Deleted]:
    """No outcome where nothing says what happened."""
    client = await ctx.sites.client(intent.wanted.site)
    refused = await _not_assured(client)
    if refused is not None:
        return _not_tried(intent, refused.code), refused
    try:
        kept = await _not_proven(ctx, client, intent, kind)
        if kept is not None:
            return kept
    except (TransientError, PermanentError) as error:
        return _not_tried(intent, error.code), Retry(error.code)
    try:
        return await _delete(client, intent)
    except NotSent as error:
        return _not_tried(intent, error.code), Retry(error.code)
    except SiteLocked as error:
        return _not_tried(intent, error.code), SiteRefused(error.code)
    except PermanentError as error:
        return Outcome(intent, Status.FAILED, error.code), Failed(error.code)
    except (OutcomeUnknown, TransientError):
        return None, StillOpen()


async def _not_proven(
    ctx: Context, client: JiraClient, intent: Intent, kind: LinkType
) -> tuple[Outcome, Stale | Failed] | None:
    """Why the link stays, by what Jira shows right now; None where it is ours to delete."""
    seen = await _re_read(client, intent)
    if seen is None:
        # Gone, or hidden from us: the next look proves which, and forgets or waits.
        return Outcome(intent, Status.NOOP, "not_found"), Stale()
    if not shows(intent, seen, kind):
        return Outcome(intent, Status.FAILED, "link_changed"), Failed("link_changed")
    row_id = intent.wanted.ledger_id
    async with ctx.database.connection() as conn:
        row = await ledger.by_id(conn, row_id) if row_id is not None else None
    (by,) = await authors(ctx, client, [Asked(seen, row.authored_after if row else None)])
    if by.proven or (by is Authorship.UNKNOWN and await _decided(ctx, intent)):
        return None
    if by is Authorship.THEIRS and row is not None and row.proven:
        # It was proven to be ours or adopted, and ids are given once in one line of history.
        await site_went_back.stop(ctx, intent.wanted.site, "mirror_of_another")
    elif row is not None:
        # The next look asks again, and holds it or lets it go.
        async with ctx.database.transaction() as conn:
            await doubts.doubt(conn, row, now=ctx.clock())
    return Outcome(intent, Status.FAILED, f"author_{by}"), Stale()


def _not_tried(intent: Intent, code: str) -> Outcome:
    """Nothing was done that may not be tried again."""
    return Outcome(intent, Status.FAILED, code, final=False)


async def _not_assured(client: JiraClient) -> SiteRefused | Retry | None:
    """What was proven is that the origin is gone, on the other site. A copy of this one behind its
    address would show the very same link, so this one has to be the pinned one as well."""
    try:
        await client.assure()
    except PermanentError as error:
        return SiteRefused(error.code)
    except TransientError as error:
        return Retry(error.code)
    return None


def shows(intent: Intent, seen: Link, kind: LinkType) -> bool:
    """Whether *seen* is the very link that the intent names: id, type, ends and direction."""
    wanted = intent.wanted
    ends = Ends(wanted.source.id, wanted.destination.id)
    return (
        wanted.link_id is not None
        and seen.id == wanted.link_id
        and seen.equals(wanted.type_id, ends, symmetric=kind.symmetric)
    )


async def _re_read(client: JiraClient, intent: Intent) -> Link | None:
    """The link as it is right now."""
    assert intent.wanted.link_id is not None
    return await client.get_link(intent.wanted.link_id)


async def _decided(ctx: Context, intent: Intent) -> bool:
    """Whether two owners approved this removal knowing that its author is not known."""
    mirror = intent.wanted.mirror
    if intent.wanted.plan_id is None or mirror is None:
        return False
    async with ctx.database.connection() as conn:
        return mirror in await held_changes.approved_unknown(conn, intent.connection_id, [mirror])


async def _delete(client: JiraClient, intent: Intent) -> tuple[Outcome | None, Removed | StillOpen]:
    """The one DELETE of this service.

    A window remains. Between the reads and the DELETE lies the wait for its turn at the site's
    rate, at most until `send_before`. While Jira runs, a link id is given to no other link, so
    what goes is our mirror or nothing, though its origin may have come back meanwhile. And
    `send_before` is checked for the last time when the connection is about to write: a process
    that is stopped within those microseconds, and goes on after others have confirmed that the
    link is still there, removes it late. No check on this side of the socket closes that. What
    does: the echo of the removal makes the next look, which finds the mirror gone and detaches or
    makes it again; and the monitor, which reads the changelog, finds a removal by our account
    that the audit does not say was applied, and pauses.
    """
    wanted = intent.wanted
    assert wanted.link_id is not None
    answer = await client.delete_link(
        wanted.link_id,
        ends=Ends(wanted.source.id, wanted.destination.id),
        send_before=intent.send_before,
    )
    if answer.status in (200, 204):
        return Outcome(intent, Status.APPLIED, "deleted"), Removed()
    # 404: gone or not permitted; 400: refused. Which one it is, a confirmation finds out.
    return None, StillOpen()
