"""The machine on the real engine, and proof that it would have caught the incident."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import stamina
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation import plants
from tests.simulation.machine import Machine
from tests.support.engine import Lab, open_lab
from tests.support.servers import Database, Servers, fresh_database

STEPS = 25
SETTINGS = settings(
    derandomize=True,
    deadline=None,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    database=None,
    print_blob=True,
)

QUICK = settings(SETTINGS, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)


def examples() -> int:
    """Twelve in `make test`, which tells stories as well; the thorough profile takes thousands."""
    profile = settings.default
    assert profile is not None
    return profile.max_examples * 2 // 5 if profile.max_examples > 1000 else 12


@pytest.fixture(scope="module")
def rig(servers: Servers, template_database: Database) -> Iterator[tuple[asyncio.Runner, Lab]]:
    """One database and one loop for every example of this module."""
    with asyncio.Runner() as runner, stamina.set_testing(True, attempts=3, cap=True):
        stack = AsyncExitStack()

        async def enter() -> Lab:
            made = await stack.enter_async_context(fresh_database(servers, template_database))
            return await stack.enter_async_context(open_lab(made.run_url))

        lab = runner.run(enter())
        yield runner, lab
        runner.run(stack.aclose())


def machine(rig: tuple[asyncio.Runner, Lab], limit: int | None = None) -> type[Machine]:
    runner, lab = rig

    class OnThisRig(Machine):
        pass

    OnThisRig.runner, OnThisRig.lab, OnThisRig.limit = runner, lab, limit
    return OnThisRig


def test_unmanaged_links_stay_and_mirrors_follow(rig: tuple[asyncio.Runner, Lab]) -> None:
    run_state_machine_as_test(machine(rig), settings=settings(SETTINGS, max_examples=examples()))


def test_never_more_than_the_limit(rig: tuple[asyncio.Runner, Lab]) -> None:
    run_state_machine_as_test(
        machine(rig, limit=2), settings=settings(SETTINGS, max_examples=examples() // 2)
    )


def test_the_incident_is_caught(
    rig: tuple[asyncio.Runner, Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the test: with the incident's rule in the engine the machine fails, and says
    which link it touched."""
    plants.remove_what_the_source_lacks(monkeypatch)
    with pytest.raises(AssertionError, match=r"touched Mutation\(.*actor='twinlink'"):
        run_state_machine_as_test(machine(rig), settings=QUICK)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plant", plants.OTHERS, ids=lambda plant: plant.__name__)
def test_so_are_rarer_faults(
    rig: tuple[asyncio.Runner, Lab],
    plant: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(rig), settings=QUICK)
