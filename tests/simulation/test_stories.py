"""Stories hold, and are the same when they are told again; planted bugs are found in few.

Each test is a run of its own: `python -m tests.simulation.run`, as `make simulate` does.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS

ROOT = Path(__file__).parents[2]
TOLD = 50
"""Stories that `make test` tells. `.ci/run` tells more of them."""
CAUGHT_WITHIN = 500


def tell(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation.run", *map(str, options)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def digests(told: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(re.findall(r"^(\d+) ([0-9a-f]{16})$", told.stdout, re.MULTILINE))


@pytest.mark.first
@pytest.mark.timeout(300)
def test_every_promise_holds() -> None:
    told = tell("--seeds", TOLD, "--jobs", 1)
    assert told.returncode == 0, told.stdout[-10_000:] + told.stderr[-2_000:]


@pytest.mark.slow
def test_a_seed_is_a_story() -> None:
    """Whoever tells it, and whatever was told before."""
    told = digests(tell("--first", 14, "--seeds", 4, "--jobs", 1, "--digests"))
    assert len(told) == 4
    again = digests(tell("--first", 16, "--seeds", 2, "--jobs", 2, "--digests"))
    assert again == {seed: told[seed] for seed in ("16", "17")}


@pytest.mark.slow
def test_a_broken_promise_is_told_and_told_again() -> None:
    """With its seed, and with what happened."""
    plant = ("--plant", "management_claimed_on_201")
    first = tell("--seeds", 50, "--jobs", 1, "--until-broken", *plant)
    assert first.returncode == 1, first.stdout[-2_000:]
    found = re.search(r"again: make simulate SEED=(\d+)", first.stdout)
    assert found is not None
    again = tell("--seed", found[1], *plant)
    assert again.returncode == 1
    assert story(first) == story(again)
    assert "BROKEN: promise 1" in again.stdout


def story(told: subprocess.CompletedProcess[str]) -> Sequence[str]:
    """Its lines, without those about the run."""
    lines = told.stdout[told.stdout.index("seed ") :].splitlines()
    return lines[: next(at for at, line in enumerate(lines) if "again:" in line)]


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("plant", BUGS)
def test_a_planted_bug_is_found(plant: str) -> None:
    told = tell("--seeds", CAUGHT_WITHIN, "--until-broken", "--plant", plant)
    assert told.returncode == 1, told.stdout[-2_000:] + told.stderr[-2_000:]
    assert "BROKEN" in told.stdout
    print(plant, told.stdout.splitlines()[-1])
