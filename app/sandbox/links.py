"""Making, finding and removing links, with Jira's rules about who may and what leaves a trace.

"Same link" means same type, source and destination, in this order: A to B and B to A are two
links even of a symmetric type. The very same link exists twice only where `again` or the site's
quirk says so: some sites have such links.
"""

from __future__ import annotations

from app.sandbox import events
from app.sandbox.logbook import Mutation, MutationKind
from app.sandbox.model import ChangeItem, History, Issue, Link, LinkType, Refusal, User
from app.sandbox.site import JiraSite
from app.sandbox.visibility import NO_LINK

NO_PERMISSION = "No Link Issue Permission for issue '{}'"
ARCHIVED = "The issue '{}' is archived and cannot be edited."


def create(
    site: JiraSite,
    actor: User,
    type_: LinkType,
    source: Issue,
    destination: Issue,
    *,
    request: str | None = None,
    cause: str = "link",
    again: bool = False,
) -> tuple[Link, bool]:
    """Make the link, or find the identical one (False): Jira answers 201 to both."""
    triple = (type_.id, source.id, destination.id)
    present = site.triples.get(triple)
    if present is not None and not (again or site.quirks.same_link_twice):
        return site.links[present], False
    at = site.now()
    link = Link(site.next_id("link"), type_.id, source.id, destination.id, at)
    site.links[link.id] = link
    site.triples.setdefault(triple, link.id)
    source.links[link.id] = None
    destination.links[link.id] = None
    _log(site, "created", actor, link, request=request, cause=cause)
    if not type_.system:
        _history(site, actor, type_, source, destination, at=at, added=True)
    events.link(site, "issuelink_created", link, type_)
    if site.quirks.issue_event_on_link and not type_.system:
        _issue_events(site, actor, source, destination)
    return link, True


def remove(
    site: JiraSite,
    actor: User,
    link: Link,
    *,
    request: str | None = None,
    cause: str = "unlink",
    trace: bool = True,
) -> None:
    """Take the link away. `trace` off: no changelog, late event, as when an issue is deleted."""
    source, destination = site.issues[link.source], site.issues[link.destination]
    type_ = site.types[link.type_id]
    del site.links[link.id]
    source.links.pop(link.id, None)
    destination.links.pop(link.id, None)
    _forget(site, link, source)
    if site.lag.links:
        until = site.now() + int(site.lag.links * 1000)
        for end in (source.id, destination.id):
            site.ghosts.setdefault(end, []).append((until, link))
    _log(site, "removed", actor, link, request=request, cause=cause)
    if trace and not type_.system:
        _history(site, actor, type_, source, destination, at=site.now(), added=False)
    events.link(site, "issuelink_deleted", link, type_, "Primary" if trace else "Secondary")
    if trace and site.quirks.issue_event_on_link and not type_.system:
        _issue_events(site, actor, source, destination)


def _forget(site: JiraSite, link: Link, source: Issue) -> None:
    """Take the link out of the index. An identical link, if one is left, takes its place there."""
    triple = (link.type_id, link.source, link.destination)
    if site.triples.get(triple) != link.id:
        return
    others = (site.links[number] for number in source.links)
    left = [it.id for it in others if (it.type_id, it.source, it.destination) == triple]
    if left:
        site.triples[triple] = min(left)
    else:
        del site.triples[triple]


def check_create(site: JiraSite, user: User, source: Issue, destination: Issue) -> None:
    """Refuse what REST refuses, in Jira's order. Both issues are known to be visible."""
    wanted = source if site.quirks.create_needs_link_on_source else destination
    if not site.can(user, "LINK_ISSUES", site.projects[wanted.project]):
        status = 404 if site.flavour == "cloud" else 401
        raise Refusal(status, NO_PERMISSION.format(wanted.key))
    if source.id == destination.id:
        raise Refusal(400, "You cannot link an issue to itself.")
    _check_archived(source, destination)


def check_limit(site: JiraSite, type_: LinkType, source: Issue, destination: Issue) -> None:
    """413 when either issue is full; an identical link is no new one."""
    if (type_.id, source.id, destination.id) in site.triples and not site.quirks.same_link_twice:
        return
    if max(len(source.links), len(destination.links)) >= site.quirks.link_limit:
        text = f"The maximum number of issue links per issue is {site.quirks.link_limit}."
        raise Refusal(413, text)


def check_remove(site: JiraSite, user: User, link: Link) -> None:
    """Link issues on at least one end."""
    ends = site.issues[link.source], site.issues[link.destination]
    if not any(site.can(user, "LINK_ISSUES", site.projects[end.project]) for end in ends):
        if site.flavour == "cloud":
            raise Refusal(404, NO_LINK.format(link.id))
        raise Refusal(401, NO_PERMISSION.format(ends[0].key))
    _check_archived(*ends)


def touch(issue: Issue, at: int) -> None:
    """Bump `updated`, remembering what search still believes."""
    issue.earlier = (*issue.earlier[-31:], issue.updated)
    issue.updated = at


def _check_archived(*issues: Issue) -> None:
    for issue in issues:
        if issue.archived:
            raise Refusal(400, ARCHIVED.format(issue.key))


def _history(
    site: JiraSite,
    actor: User,
    type_: LinkType,
    source: Issue,
    destination: Issue,
    *,
    at: int,
    added: bool,
) -> None:
    if site.quirks.node_skew:
        at -= int(site.random.uniform(0, site.quirks.node_skew) * 1000)
    for issue, other, wording in (
        (source, destination, type_.outward),
        (destination, source, type_.inward),
    ):
        text = site.quirks.link_text.format(wording=wording, key=other.key)
        item = (
            ChangeItem("Link", after=other.key, after_text=text)
            if added
            else ChangeItem("Link", before=other.key, before_text=text)
        )
        issue.history.append(History(site.next_id("history"), actor.name, at, (item,)))
        touch(issue, at)


def _issue_events(site: JiraSite, actor: User, source: Issue, destination: Issue) -> None:
    for issue in (source, destination):
        events.issue(
            site, "jira:issue_updated", "issue_updated", actor, issue, change=issue.history[-1]
        )


def _log(
    site: JiraSite,
    kind: MutationKind,
    actor: User,
    link: Link,
    *,
    request: str | None,
    cause: str,
) -> None:
    entry = Mutation(
        at=site.now(),
        kind=kind,
        actor=actor.name,
        link_id=link.id,
        type_id=link.type_id,
        type_name=site.types[link.type_id].name,
        source=link.source,
        destination=link.destination,
        source_key=site.issues[link.source].key,
        destination_key=site.issues[link.destination].key,
        request=request,
        cause=cause,
    )
    site.mutations.entries.append(entry)
