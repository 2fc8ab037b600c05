"""Small sites that are easy to mix up: the same issue ids, link ids and keys everywhere.

A left issue's twin has another number, so code that takes an id or key to the wrong site, or one
side for the other, does something that shows.
"""

from app.core.config import (
    ConnectionConfig,
    Direction,
    End,
    GuardLimits,
    OnIssueDeleted,
    OnMirrorRemoved,
    TypePair,
    WindowLimits,
)
from app.core.links import ProjectKey
from app.sandbox import Flavour, JiraSite, ManualClock
from app.sandbox.people import person_on
from tests.support.engine import ACCOUNT, Station

PROJECT, ELSEWHERE = "P", "X"
GENEROUS = GuardLimits(WindowLimits(0.5, 500, 500), WindowLimits(0.5, 2000, 2000))


def site(
    name: str,
    clock: ManualClock,
    *,
    flavour: Flavour = "cloud",
    issues: int = 5,
    context: str = "",
) -> JiraSite:
    """Issues P-1 to P-<issues>, an empty project X, three types, people and our account."""
    made = JiraSite(name, flavour, clock=clock, context=context)
    made.add_user("root", admin=True)
    for person in ("ann", "bob", ACCOUNT):
        made.add_user(person)
    made.add_project(PROJECT)
    made.add_project(ELSEWHERE)
    made.add_link_type("Blocks", "blocks", "is blocked by")
    made.add_link_type("Relates", "relates to")
    made.add_link_type("Tests", "tests", "is tested by")
    ann = person_on(made, "ann")
    for number in range(issues):
        ann.create(PROJECT, f"Summary {number}")
    return made


def config(
    left: Station,
    right: Station,
    *,
    direction: Direction = Direction.BOTH,
    reversed_: bool = False,
    guard: GuardLimits = GENEROUS,
    on_mirror_removed: OnMirrorRemoved = OnMirrorRemoved.DETACH,
    on_issue_deleted: OnIssueDeleted = OnIssueDeleted.KEEP,
) -> ConnectionConfig:
    """Blocks and Relates are mapped, Tests is not; project P is in scope, X is not."""
    return ConnectionConfig(
        left=End(left.access.name, (ProjectKey(PROJECT),)),
        right=End(right.access.name, (ProjectKey(PROJECT),)),
        direction=direction,
        link_types=(
            TypePair(left.type("Blocks"), right.type("Blocks"), reversed=reversed_),
            TypePair(left.type("Relates"), right.type("Relates")),
        ),
        guard=guard,
        on_mirror_removed=on_mirror_removed,
        on_issue_deleted=on_issue_deleted,
    )
