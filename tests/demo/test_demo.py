"""Each step checks its claim against the sites themselves. `.ci/run` plays the whole story; here
it goes as far as the first mirrored link, and wherever a claim is false it must say so."""

import socket
from collections.abc import Callable
from io import StringIO

import pytest

from app.demo import play, truth
from app.demo.failed import DemoFailed
from app.demo.stage import Stage
from app.demo.steps import STEPS, Step, connect, going_live, ground, intact, person
from app.demo.teller import Teller
from app.sandbox.people import person_on
from app.sandbox.worlds import ACCOUNT
from app.settings import Settings


async def play_until_live(stage: Stage, tell: Teller) -> None:
    for act in (ground.act, connect.act, going_live.act):
        await act(stage, tell)


async def test_a_link_is_followed_from_the_click_to_the_audit_row(
    stage: Stage, tell: Teller, told: StringIO
) -> None:
    await play_until_live(stage, tell)
    seen = await person.act(stage, tell)
    [mirror] = truth.created(stage.right.site)[-1:]
    assert f"link {mirror.link_id}" in seen
    lines = told.getvalue()
    for part in ("X-Hub-Signature: sha256=", "POST /issueLink", "audit row", "B-1 Blockade B-2"):
        assert part in lines
    assert all(len(line) <= 100 for line in lines.splitlines())
    await intact.act(stage, tell)


async def test_a_touched_link_of_somebody_is_noticed(stage: Stage, tell: Teller) -> None:
    foreign = min(stage.baselines["right"].ids)
    person_on(stage.right.site, ACCOUNT).unlink(foreign)
    with pytest.raises(DemoFailed, match="unmanaged links of right"):
        await intact.act(stage, tell)


async def test_what_people_remove_themselves_is_no_harm_done(stage: Stage) -> None:
    site, baseline = stage.right.site, stage.baselines["right"]
    person_on(site, "carla").unlink(min(baseline.ids))
    assert baseline.now(site).count == baseline.fingerprint.count - 1
    assert not truth.trespasses(site)
    person_on(site, "carla").link("B-1", "Blockade", "B-3")
    assert len(truth.unmanaged(site)) == baseline.fingerprint.count


async def test_a_false_claim_ends_the_demo_with_1_and_says_why(
    demo_settings: Settings,
    bound: socket.socket,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def one_more(stage: Stage, tell: Teller) -> str:
        person_on(stage.right.site, "bob").link("B-1", "Blockade", "B-3")
        return "planted"

    steps = (Step("Plant", one_more), Step("Two sites", ground.act), Step("Never", _unreached))
    monkeypatch.setattr(play, "STEPS", steps)
    code = await play.run(
        demo_settings, bound, address=address, versions={}, began=0.0, once=True, json=False
    )
    assert code == 1
    told = capsys.readouterr().out
    assert "links that the left lacks: expected 137, found 138" in told
    assert "Verified" not in told


async def test_steps_that_come_true_end_with_0_and_a_summary(
    demo_settings: Settings,
    bound: socket.socket,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(play, "STEPS", (Step("Two sites as they are", ground.act),))
    code = await play.run(
        demo_settings, bound, address=address, versions={}, began=0.0, once=True, json=True
    )
    assert code == 0
    said = capsys.readouterr()
    assert '"step": "Two sites as they are"' in said.out
    assert "Verified" in said.err


async def test_who_answers_nothing_is_waited_for_with_an_end(stage: Stage, tell: Teller) -> None:
    await connect.act(stage, tell)
    await stage.service.post("connections/demo/pause")
    person_on(stage.left.site, "ann").link("A-1", "Blocks", "A-2")
    with pytest.raises(
        DemoFailed, match=r"a link while paused: .* not within 1 seconds; .*backlog"
    ):
        await stage.quiet("a link while paused", seconds=1)


async def _unreached(stage: Stage, tell: Teller) -> str:
    raise AssertionError("the story went on after a step that failed")


def test_the_story_has_its_steps_in_order() -> None:
    acts: list[Callable[..., object]] = [step.act for step in STEPS]
    assert acts.index(connect.act) < acts.index(going_live.act) < acts.index(person.act)
    assert acts[-1] is intact.act
