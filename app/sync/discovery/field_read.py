"""Reading twin fields: what each issue claims now, and what its pair is worth by that.

Only an issue that came back in a complete answer of a site that is certainly ours says
anything. A field that no issue of a project shows any more was taken from the project, not
cleared by anybody: then nothing is unpaired.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from app.core.evidence import IssueView
from app.core.links import IssueId, IssueKey, IssueRef, ProjectKey, Side
from app.core.twin_claims import ClaimStatus
from app.core.twin_field import leads_to, twin_key
from app.jira.client import JiraClient
from app.store.config import sites
from app.store.config.active_connection import Running
from app.store.links import claims, twins
from app.store.links.claims import Claim
from app.store.links.twins import Twin
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

# As in the guard: what would leave none of three or more is not believed.
FEW = 3
# Enough others to distinguish one cleared field from a field that is gone.
SAMPLE = 50


@dataclass(slots=True)
class Findings:
    """`claims` by issue, None where the field is blank; `stale` are pairs that their issue
    no longer claims; `unread` as in a reading. `targets` are issues of the other side."""

    claims: dict[IssueId, Claim | None] = field(default_factory=dict)
    stale: dict[IssueId, Twin] = field(default_factory=dict)
    targets: dict[IssueId, IssueRef] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store says of the issues that are read."""

    claims: Mapping[IssueId, Claim]
    twins: Mapping[IssueId, Twin]
    bases: tuple[str, ...]


async def read(
    ctx: Context, state: Running, side: Side, issues: list[IssueId], *, bulk: bool
) -> Findings:
    """What *issues* of *side* claim. Raises what the Jira clients raise."""
    here = await ctx.sites.client(state.site(side))
    there = await ctx.sites.client(state.site(side.other))
    for client in (here, there):
        await client.assure()
    reading = await here.read_issues(issues, field=state.config.twins.field, bulk=bulk)
    known = await _known(ctx, state, side, issues)
    keys = {issue: _key(view) for issue, view in reading.issues.items()}
    seen = await there.resolve_keys([key for key in keys.values() if key is not None])
    found = Findings(unread=reading.unread)
    found.targets = {view.ref.id: view.ref for view in seen.values()}
    for issue, view in reading.issues.items():
        key = keys[issue]
        target = seen.get(key) if key is not None else None
        claim = _claim(state, side, view, key, target, known.bases)
        twin = known.twins.get(issue)
        if twin is not None and twin.source == "field":
            if (
                claim is not None
                and target is not None
                and claim.status is ClaimStatus.UNKNOWN_ISSUE
            ):
                claim = replace(
                    claim, status=ClaimStatus.ERROR
                )  # an address, but not of the other site
            claim, is_stale = _weigh(claim, twin, view, known.claims.get(issue), state, side)
            if is_stale:
                found.stale[issue] = twin
        found.claims[issue] = claim
    await _doubt_cleared(ctx, state, side, here, reading.issues, found, known)
    return found


async def _known(ctx: Context, state: Running, side: Side, issues: list[IssueId]) -> Known:
    async with ctx.database.connection() as conn:
        site = await sites.by_id(conn, state.site(side.other))
        return Known(
            await claims.of_issues(conn, state.id, side, issues),
            await twins.by_issues(conn, state.id, side, issues),
            tuple(base for base in (site.base_url, site.web_url) if base) if site else (),
        )


def _text(view: IssueView) -> str:
    return (view.field_text or "").strip()


def _key(view: IssueView) -> IssueKey | None:
    return twin_key(_text(view))


def _claim(
    state: Running,
    side: Side,
    view: IssueView,
    key: IssueKey | None,
    target: IssueView | None,
    bases: Iterable[str],
) -> Claim | None:
    """The claim by itself; `paired` means that it may be, if nothing else claims the same."""
    if not _text(view):
        return None
    if key is None:
        return Claim(view.ref, "", None, ClaimStatus.ERROR)
    if not state.projects(side).hold(view):
        return Claim(view.ref, key, None, ClaimStatus.WRONG_PROJECT)
    if target is None or not leads_to(_text(view), bases):
        return Claim(view.ref, key, None, ClaimStatus.UNKNOWN_ISSUE)
    if not state.projects(side.other).hold(target):
        return Claim(view.ref, key, None, ClaimStatus.WRONG_PROJECT)
    return Claim(view.ref, key, target.ref.id, ClaimStatus.PAIRED)


def _weigh(
    claim: Claim | None,
    twin: Twin,
    view: IssueView,
    former: Claim | None,
    state: Running,
    side: Side,
) -> tuple[Claim | None, bool]:
    """The claim beside the pair that its issue is in, and whether that pair is stale.

    A text that names the pair's issue as before says the same as before, even while that issue
    cannot be seen; and a pair that moved out of scope is suspended, not unpaired.
    """
    other = twin.on(side.other)
    if not state.projects(side).hold(view):
        return claim, False
    if claim is None:
        return None, True
    if claim.target is not None:
        return claim, claim.target != other.id
    as_before = former is not None and former.target == other.id and former.key == claim.key
    if claim.key != other.key and not as_before:
        return claim, True
    if claim.status is ClaimStatus.WRONG_PROJECT:
        return claim, False
    fails = claim.status is ClaimStatus.ERROR
    status = ClaimStatus.ERROR if fails else ClaimStatus.PAIRED
    return replace(claim, target=other.id, status=status), False


async def _doubt_cleared(
    ctx: Context,
    state: Running,
    side: Side,
    client: JiraClient,
    views: Mapping[IssueId, IssueView],
    found: Findings,
    known: Known,
) -> None:
    """Keep pairs whose field is blank where no other issue of the project shows the field."""
    cleared: dict[ProjectKey, list[IssueId]] = defaultdict(list)
    for issue in found.stale:
        if found.claims[issue] is None:
            cleared[views[issue].project].append(issue)
    for project, issues in cleared.items():
        if any(_text(view) for view in views.values() if view.project == project):
            continue
        async with ctx.database.connection() as conn:
            others = await claims.paired_in_project(
                conn, state.id, side, project, without=views, limit=SAMPLE
            )
        sample = await client.read_issues(others, field=state.config.twins.field)
        blank = not any(_text(view) for view in sample.issues.values())
        if not blank or len(issues) + len(sample.issues) < FEW:
            continue
        _LOG.warning("twin_field_gone", connection=state.name, project=project, pairs=len(issues))
        for issue in issues:
            twin = found.stale.pop(issue)
            before = known.claims.get(issue)
            key = before.key if before is not None else twin.on(side.other).key
            found.claims[issue] = Claim(
                views[issue].ref, key, twin.on(side.other).id, ClaimStatus.ERROR
            )
