"""The set-up's last steps: twins with a report, the shadow plan, and the mode up step by step."""

import re
from collections.abc import Callable

import pytest

from app.api.auth.roles import V1
from app.console import charts, form
from app.console.pages.setup import twins
from tests.api.conftest import Api
from tests.api.flow import AB, Flow
from tests.console.conftest import Browser, text_of
from tests.console.test_pages import HOSTILE
from tests.console.test_setup import fault_of

Browse = Callable[[], Browser]
AT = "/setup/connections/ab"


@pytest.fixture
async def untwinned(flow: Flow) -> Flow:
    for it in (await flow.call("GET", f"{AB}/twins"))["items"]:
        await flow.call("DELETE", f"{AB}/twins/{it['id']}")
    return flow


async def uploaded(browser: Browser, content: bytes, **fields: str) -> str:
    await browser.get(f"{AT}/twins")
    answer = await browser.http.post(
        f"{AT}/twins",
        data={"csrf": browser.csrf, **fields},
        files={"file": ("twins.csv", content, "text/csv")},
    )
    return answer.text


async def test_a_file_is_paired_with_a_report(untwinned: Flow, browser: Browser) -> None:
    content = b"\xef\xbb\xbfleft;right\r\na-1;b-1\r\nA-2;B-2\r\nA-3;NOPE-1\r\nA-4;B-4;B-5\r\n\r\n"
    page = await uploaded(browser, content)
    said = text_of(page)
    assert "paired 2" in said
    assert "malformed 1" in said
    assert re.search(r"4 A-3 NOPE-1 (wrong project|unknown issue)", said)
    assert "5 A-4 B-4,B-5 malformed" in said
    again = text_of(await uploaded(browser, content))
    assert "unchanged 2" in again
    assert len((await untwinned.call("GET", f"{AB}/twins"))["items"]) == 2


async def test_rows_are_pasted_too(untwinned: Flow, browser: Browser) -> None:
    await browser.get(f"{AT}/twins")
    page = (await browser.send(f"{AT}/twins", rows="A-1,B-1\nA-2\tB-2")).text
    assert "paired 1" in text_of(page)
    assert "malformed 1" in text_of(page)


async def test_what_is_in_a_file_is_text(untwinned: Flow, browser: Browser) -> None:
    page = await uploaded(browser, f"{HOSTILE},B-1\n\xff\xfe,B-2\n".encode("latin-1", "replace"))
    assert "<script>alert" not in page
    assert "\u202e" not in page


async def test_a_file_is_bounded(
    untwinned: Flow, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins, "MOST_ROWS", 3)
    rows = b"".join(b"A-%d,B-%d\n" % (n, n) for n in range(1, 6))
    page = await uploaded(browser, rows)
    assert "more than 3 rows" in fault_of(page, "file")
    assert "twinlink twins import ab FILE" in fault_of(page, "file")
    assert not (await untwinned.call("GET", f"{AB}/twins"))["items"], "not even the first rows"
    large = await browser.http.post(
        f"{AT}/twins",
        data={"csrf": browser.csrf},
        files={"file": ("twins.csv", b"x" * form.LARGEST_FORM, "text/csv")},
    )
    assert large.status_code == 413
    nothing = await uploaded(browser, b"")
    assert "Choose a CSV file" in fault_of(nothing, "file")


async def test_equal_numbers_are_previewed_before_they_are_paired(
    untwinned: Flow, browser: Browser
) -> None:
    await browser.get(f"{AT}/twins")
    preview = (await browser.send(f"{AT}/twins/preview", left="A", right="B")).text
    assert "5 pairs of equal number" in text_of(preview)
    assert "A-1 = B-1" in text_of(preview)
    assert not (await untwinned.call("GET", f"{AB}/twins"))["items"]
    [numbers] = re.findall(r'name="numbers" value="([^"]+)"', preview)
    assert numbers == "1-5"
    paired = await browser.send(f"{AT}/twins/keys", left="A", right="B", numbers=numbers)
    assert "paired 5" in text_of(paired.text)


@pytest.mark.parametrize(
    "numbers", ["", "1-", "x", "5-1", "1-999999999", "0-5000,1-5000", "1" * 12, "1,,2"]
)
async def test_numbers_that_no_preview_made_pair_nothing(
    untwinned: Flow, browser: Browser, numbers: str
) -> None:
    await browser.get(f"{AT}/twins")
    answer = await browser.send(f"{AT}/twins/keys", left="A", right="B", numbers=numbers)
    assert answer.status_code == 422
    assert "Preview the pairs first" in fault_of(answer.text, "left")


def test_runs_of_numbers() -> None:
    preview = twins.Preview("A", "B", [1, 2, 3, 7, 9, 10], more=False)
    assert preview.ranges == "1-3,7,9-10"
    assert twins._numbers(preview.ranges) == [1, 2, 3, 7, 9, 10]


async def test_projects_without_equal_numbers(untwinned: Flow, browser: Browser) -> None:
    await browser.get(f"{AT}/twins")
    answer = await browser.send(f"{AT}/twins/preview", left="A", right="NOPE")
    assert answer.status_code == 422
    assert "no issues of equal number" in fault_of(answer.text, "left")


async def test_a_preview_begins_where_it_is_asked_to(untwinned: Flow, browser: Browser) -> None:
    await browser.get(f"{AT}/twins")
    preview = (await browser.send(f"{AT}/twins/preview", left="a", right="b", first="4")).text
    assert "2 pairs of equal number" in text_of(preview)
    for first in ("0x1", "-1", "1" * 20):
        wrong = await browser.send(f"{AT}/twins/preview", left="A", right="B", first=first)
        assert "must be a number" in fault_of(wrong.text, "first")


async def test_twins_come_from_a_field(untwinned: Flow, browser: Browser) -> None:
    await browser.get(f"{AT}/twins")
    wrong = await browser.send(f"{AT}/twins/field", side="left", field="Twin key")
    assert wrong.status_code == 422
    assert "match pattern" in fault_of(wrong.text, "field")
    assert 'value="Twin key"' in wrong.text
    done = await browser.send(f"{AT}/twins/field", side="left", field="customfield_10042")
    assert "customfield_10042" in text_of(done.text)
    found = await untwinned.call("GET", AB)
    assert found["twins"] == {"source": "field", "side": "left", "field": "customfield_10042"}


async def test_the_shadow_plan_in_numbers_and_a_picture(flow: Flow, browser: Browser) -> None:
    flow.ann.link("A-1", "Blocks", "A-2")
    flow.ann.link("A-1", "Relates", "A-3")
    assert "Compare both sides now" in await browser.get(AT)
    await browser.send(f"{AT}/compare")
    await flow.run()
    page = await browser.get(AT)
    said = text_of(page)
    assert "Of 5 pairs it would make 1 link and remove 0 links" in said
    assert 'aria-label="on right 1 made, 0 removed' in page
    assert "Makes 1 link at once" in said
    assert not flow.mirrors


def test_the_picture_has_an_arrow_for_each_side_that_is_written() -> None:
    planned = [{"site": "b", "type": "Blocks", "creates": 3, "removes": 1}]
    ends = {"left": {"site": "a"}, "right": {"site": "b"}}
    one = charts.shadow({**ends, "direction": "left_to_right"}, planned)
    assert [it["words"] for it in one["arrows"]] == ["+3 \N{MINUS SIGN}1"]
    both = charts.shadow({**ends, "direction": "both"}, planned)
    assert [it["words"] for it in both["arrows"]] == ["+3 \N{MINUS SIGN}1", "+0"]
    assert both["rows"][0]["up"] + both["rows"][0]["down"] == 100


async def test_the_mode_goes_up_a_step_at_a_time(flow: Flow, browser: Browser) -> None:
    for mode in ("create_only", "review", "live"):
        page = await browser.get(AT)
        offered = re.findall(r'name="mode" value="(\w+)"><button>', page)
        assert offered == [mode], "the next one alone"
        done = await browser.send(f"{AT}/mode", mode=mode)
        assert "The mode has changed" in done.text
        assert (await flow.call("GET", AB))["mode"] == mode
    assert "It is live" in await browser.get(AT)
    assert 'href="/setup">' not in (await browser.get("/")).split("<main")[1]


async def test_a_mode_that_is_refused_says_what_is_missing(flow: Flow, browser: Browser) -> None:
    body = flow.jira.body(flow.jira.right, account_dedicated=False)
    await flow.call("PUT", f"{V1}/sites/right", body)
    page = await browser.get(AT)
    assert "The account of right is not declared" in text_of(page)
    refused = await browser.send(f"{AT}/mode", mode="create_only")
    assert refused.status_code == 409
    assert "An account of the connection is not dedicated" in text_of(refused.text)
    assert "The mode has not changed" in refused.text
    nonsense = await browser.send(f"{AT}/mode", mode="everything")
    assert nonsense.status_code == 422


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
async def test_each_role_does_what_its_token_may(
    browse: Browse, flow: Flow, api: Api, role: str
) -> None:
    made = await api.client().post(f"{V1}/tokens", json={"role": role, "owner": "eva"})
    other = browse()
    await other.sign_in(made.json()["token"])
    ranks = ("viewer", "operator", "approver")
    for path, least in ((f"{AT}/twins", "operator"), (f"{AT}/mode", "approver"),
                        (f"{AT}/compare", "operator"), (f"{AT}/twins/field", "admin")):  # fmt: skip
        page = await other.get(AT if "twins" not in path else f"{AT}/twins")
        may = least != "admin" and ranks.index(role) >= ranks.index(least)
        assert (f'action="{path}"' in page) == may, path
        form = {"rows": "A-1,B-1", "mode": "create_only", "side": "left", "field": "customfield_1"}
        assert ((await other.send(path, **form)).status_code != 403) == may, path
