"""A plan as text and as Markdown: the same changes and the same digest."""

import pytest

from app.api.auth.roles import V1
from app.api.http import media
from app.api.routes import plans
from tests.api.flow import Flow


async def shadow_plan(flow: Flow) -> str:
    flow.ann.link("A-1", "Blocks", "A-2")
    flow.ann.link("A-2", "Blocks", "A-3")
    await flow.compare()
    [plan] = await flow.plans("shadow")
    return f"{V1}/plans/{plan['id']}"


async def test_by_format_and_by_accept(flow: Flow) -> None:
    url = await shadow_plan(flow)
    text = await flow.client.get(url, params={"format": "text"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "revision 1: 2 to create, 0 to remove" in text.text
    assert "+ right: B-1 Blocks B-2: row_2" in text.text
    markdown = await flow.client.get(url, headers={"Accept": "text/markdown"})
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "| create | right | B-2 | Blocks | B-3 |" in markdown.text
    for accept in ("*/*", "application/json, text/plain", "text/*;q=0.5, application/*"):
        answer = await flow.client.get(url, headers={"Accept": accept})
        assert len(answer.json()["changes"]) == 2
    first = await flow.client.get(
        url, params={"format": "markdown"}, headers={"Accept": "text/plain"}
    )
    assert first.text == markdown.text


async def test_the_digest_is_the_one_to_approve(flow: Flow) -> None:
    await flow.mode("review")
    [origin] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    flow.ann.unlink(origin)
    await flow.compare()
    plan = await flow.sealed()
    for form in ("text", "markdown"):
        shown = await flow.client.get(f"{V1}/plans/{plan['id']}", params={"format": form})
        assert plan["digest"] in shown.text
        assert plan["changes"][0]["link_id"] in shown.text


async def test_what_cannot_be_had(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await shadow_plan(flow)
    assert (await flow.client.get(url, params={"format": "pdf"})).status_code == 422
    refused = await flow.client.get(url, headers={"Accept": "application/pdf"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    missing = await flow.client.get(f"{V1}/plans/99", params={"format": "text"})
    assert missing.status_code == 404
    elsewhere = await flow.api.stranger("viewer")
    assert (await elsewhere.get(url, params={"format": "text"})).status_code == 404
    monkeypatch.setattr(plans, "LONGEST", 1)
    long = await flow.client.get(url, params={"format": "text"})
    assert (long.status_code, long.json()["code"]) == (406, "not_acceptable")
    assert len((await flow.client.get(url)).json()["changes"]) == 2


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/x"),
        ("", "a/x"),
        ("*/*", "a/x"),
        ("b/y", "b/y"),
        ("a/x;q=0.1, b/y;q=0.9", "b/y"),
        ("b/*, a/x", "b/y"),
        ("a/x;q=0, b/y", "b/y"),
        ("c/z", "a/x"),
        ("b/y;q=high, a/x", "a/x"),
    ],
)
def test_preferred(accept: str | None, chosen: str) -> None:
    assert media.preferred(accept, ["a/x", "b/y"]) == chosen
