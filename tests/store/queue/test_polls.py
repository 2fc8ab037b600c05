"""Marks: what a poll saw before is not news, whatever else is."""

from collections.abc import AsyncIterator

import pytest

from app.core.evidence import IssueView
from app.core.links import IssueId, IssueKey, IssueRef, Link, LinkId, ProjectKey, TypeId
from app.store.queue import polls
from app.sync.resync.poll import mark
from tests.sync.discovery.fields import FieldWorld, open_fields

ONE, TWO = IssueId("1"), IssueId("2")
REF, OTHER = IssueRef(ONE, IssueKey("P-1")), IssueRef(TWO, IssueKey("P-2"))


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


async def unseen(fields: FieldWorld, site: int, **marks: bytes) -> set[IssueId]:
    async with fields.world.database.transaction() as conn:
        named = {IssueId(name.removeprefix("i")): it for name, it in marks.items()}
        return await polls.unseen(conn, site, named, fields.world.now())


async def test_a_mark_is_news_once_per_site(fields: FieldWorld) -> None:
    left, right = fields.left.id, fields.right.id
    assert await unseen(fields, left, i1=b"a", i2=b"a") == {ONE, TWO}
    assert await unseen(fields, left, i1=b"a", i2=b"a") == set()
    assert await unseen(fields, left, i1=b"b", i2=b"a") == {ONE}
    assert await unseen(fields, left, i1=b"a", i2=b"a") == {ONE}, "back is news as well"
    assert await unseen(fields, right, i1=b"a") == {ONE}


async def test_marks_roll_back_with_what_they_raised(fields: FieldWorld) -> None:
    async def fails() -> None:
        async with fields.world.database.transaction() as conn:
            await polls.unseen(conn, fields.left.id, {ONE: b"a"}, fields.world.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert await unseen(fields, fields.left.id, i1=b"a") == {ONE}


def view(*links: str, key: str = "P-1", project: str = "P", archived: bool = False) -> IssueView:
    shown = tuple(Link(LinkId(it), TypeId("1"), REF, OTHER) for it in links)
    return IssueView(IssueRef(ONE, IssueKey(key)), ProjectKey(project), shown, archived)


def test_a_mark_tells_apart_what_concerns_us() -> None:
    unlike = [
        view(),
        view("1"),
        view("2"),
        view("1", "2"),
        view("12"),
        view(key="P-2"),
        view(project="X"),
        view(archived=True),
        IssueView(REF, ProjectKey("P"), None),
    ]
    assert len({mark(it) for it in unlike}) == len(unlike)


def test_the_order_of_links_is_no_news() -> None:
    assert mark(view("1", "2")) == mark(view("2", "1"))
