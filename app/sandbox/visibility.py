"""Which links a caller sees: by id, on an issue, or all of them for a webhook's body."""

from app.sandbox.model import Issue, Link, Refusal, User
from app.sandbox.site import GONE, JiraSite

NO_LINK = "No issue link with id '{}' exists."


def visible(site: JiraSite, user: User | None, link_id: str) -> Link:
    """The link if it exists and both ends can be browsed, else 404 with the same words."""
    link = site.links.get(int(link_id)) if link_id.isdigit() else None
    if link is None or site.types[link.type_id].system:
        raise Refusal(404, NO_LINK.format(link_id))
    for end in (link.source, link.destination):
        if not site.can_browse(user, site.issues[end]):
            raise Refusal(404, NO_LINK.format(link_id) if site.flavour == "cloud" else GONE)
    return link


def shown(site: JiraSite, user: User | None, issue: Issue) -> list[Link]:
    """The links that `fields.issuelinks` shows this caller, read lag included, by id."""
    lag = int(site.lag.links * 1000)
    now = site.now() if lag or site.ghosts else 0
    found = [site.links[number] for number in issue.links]
    if lag:
        found = [link for link in found if link.created + lag <= now]
    if site.ghosts:
        found += [link for until, link in site.ghosts.get(issue.id, ()) if until > now]
    result = []
    for link in found:
        if site.types[link.type_id].system:
            continue
        other = site.issues.get(link.destination if link.source == issue.id else link.source)
        if other is not None and site.can_browse(user, other):
            result.append(link)
    result.sort(key=lambda link: link.id)
    return result


def unfiltered(site: JiraSite, issue: Issue) -> list[Link]:
    """Every ordinary link of the issue, as webhook bodies show them: those have no reader."""
    found = (site.links[number] for number in issue.links)
    return [link for link in found if not site.types[link.type_id].system]
