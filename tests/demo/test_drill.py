"""The drill sees what it must see: a mirror that is missing, one too many, a link of others that
went. The whole of it is a soak."""

import json
import socket

import pytest

from app.demo.drill import play
from app.demo.drill.checks import untouched
from app.demo.drill.receiver import receiving
from app.demo.drill.scene import Scene
from app.demo.drill.steps import Step
from app.demo.drill.truth import mirrors, origins, standing
from app.demo.drill.worlds import ALPHA, BETA, SIZES, WIDER, build_worlds
from app.demo.teller import Teller
from app.demo.waiting import until
from app.sandbox.people import person_on
from app.sandbox.worlds import ACCOUNT, Sizes, World, build
from app.settings import Settings
from app.sync.incidents.apprise_sender import carry


def small() -> World:
    return build(Sizes(pairs=20, both_sides=6, left_only=5, foreign_right=9, hub=3, epics=0))


def mirror(world: World) -> list[int]:
    """As Twinlink would: our account makes what the right lacks."""
    made = []
    twins, types = dict(world.twins), dict(world.types)
    for number in origins(world).values():
        link = world.left.links[number]
        ends = [world.left.issues[end].key for end in (link.source, link.destination)]
        name = types[world.left.types[link.type_id].name]
        made.append(person_on(world.right, ACCOUNT).link(twins[ends[0]], name, twins[ends[1]]).id)
    return made


def test_mirrors_are_those_of_the_origins_or_it_shows() -> None:
    world = small()
    assert (len(origins(world)), mirrors(world).total()) == (5, 0)
    made = mirror(world)
    assert mirrors(world).keys() == origins(world).keys()
    person_on(world.right, "bob").unlink(made[0])
    assert len(origins(world).keys() - mirrors(world).keys()) == 1
    person_on(world.left, "ann").unlink(max(origins(world).values()))
    assert len(mirrors(world).keys() - origins(world).keys()) == 1


def test_what_people_linked_on_both_sides_wants_no_mirror() -> None:
    world = small()
    assert len(world.left.links) == 5 + 6
    before = standing(world.left)
    copy = world.copy()
    person_on(copy.left, "ann").unlink(min(copy.left.links))
    assert (before - standing(copy.left)).total() == 1


def test_the_ground_is_what_the_drill_says() -> None:
    worlds = build_worlds()
    alpha, beta = worlds[ALPHA], worlds[BETA]
    assert alpha.left is beta.left
    assert len(alpha.twins) + len(beta.twins) == 500
    assert [len(origins(it)) for it in worlds.values()] == [SIZES.left_only] * 2
    assert len(alpha.right.links) == 1000
    assert len(alpha.left.links) == 2 * (SIZES.left_only + SIZES.both_sides) + WIDER


async def test_a_message_arrives_at_the_receiver() -> None:
    async with receiving() as receiver:
        await carry(receiver.url, "[Twinlink minor] The guard holds removals: beta", "10 went.")

        async def heard() -> str | None:
            found = receiver.first("guard holds removals", "beta")
            return found.text if found else None

        assert await until("the message", heard, seconds=10) == "10 went."
        assert receiver.first("guard holds removals", "alpha") is None


async def test_a_link_of_others_that_went_ends_it_with_1(
    demo_settings: Settings,
    bound: socket.socket,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def plant(scene: Scene, _: Teller) -> str:
        right = scene.stage.right.site
        person_on(right, ACCOUNT).unlink(min(scene.stage.baselines["right"].ids))
        return "planted"

    async def look(scene: Scene, _: Teller) -> str:
        untouched(scene)
        return "not seen"

    monkeypatch.setattr(play, "STEPS", (Step("Plant", plant), Step("Look", look)))
    code = await play.run(demo_settings, bound, address=address, versions={}, began=0.0, json=False)
    assert code == 1
    told = capsys.readouterr().out
    assert "foreign links removed on right" in told
    assert "Verified" not in told


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_the_incident_replayed(
    demo_settings: Settings,
    bound: socket.socket,
    address: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await play.run(demo_settings, bound, address=address, versions={}, began=0.0, json=True)
    said = capsys.readouterr()
    assert code == 0, said.err
    figures = json.loads(said.out)["figures"]
    assert figures["deleted"] == 700
    assert 0 < figures["removed"] <= figures["limit"] == 20
    assert figures["detection_seconds"] < 60
    assert "6 d 19 h" in said.err
