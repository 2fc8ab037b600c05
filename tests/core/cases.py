"""Values that the tests of the core share: rows, observations, types, under short names."""

from datetime import UTC, datetime

from app.core.evidence import Absent, Observed, Present, Unknown, Unlisted
from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import IssueId, LinkId, LinkType, Side, TypeId

AT = datetime(2025, 8, 29, 16, 18, tzinfo=UTC)
BLOCKS = LinkType(TypeId("1"), "Blocks", "is blocked by", "blocks")
RELATES = LinkType(TypeId("2"), "Relates", "relates to", "Relates To")
GERMAN = LinkType(TypeId("11"), "Blockade", "wird blockiert von", "blockiert")
BEZIEHUNG = LinkType(TypeId("12"), "Beziehung", "bezieht sich auf", "bezieht sich auf")

ORIGIN_ID, MIRROR_ID = LinkId("70"), LinkId("80")
ABSENT = Absent({})
UNLISTED = Unlisted()
UNKNOWN = Unknown("issue_error")


def present(*ids: str, gone: bool = False, foreign: tuple[str, ...] = ()) -> Present:
    return Present(
        frozenset(map(LinkId, ids)), known_gone=gone, foreign=frozenset(map(LinkId, foreign))
    )


def row(
    state: State = State.MANAGED,
    origin: Side = Side.LEFT,
    *,
    origin_id: LinkId | None = ORIGIN_ID,
    mirror_id: LinkId | None = MIRROR_ID,
    authorship: Authorship | None = Authorship.OURS,
    former: State | None = None,
) -> Row:
    left, right = (origin_id, mirror_id) if origin is Side.LEFT else (mirror_id, origin_id)
    return Row(
        id=1,
        key=LinkKey(BLOCKS.id, 1, 2),
        right_type=GERMAN.id,
        origin=origin,
        state=state,
        former=former,
        authorship=authorship,
        authored_after=AT,
        left_link=left,
        right_link=right,
        version=1,
    )


def sides(origin: Side, at_origin: Observed, at_mirror: Observed) -> tuple[Observed, Observed]:
    """As `decide` takes them: left, right."""
    return (at_origin, at_mirror) if origin is Side.LEFT else (at_mirror, at_origin)


def issue(number: int) -> IssueId:
    return IssueId(str(number))
