"""Checks that several steps repeat, on the sites' own logs."""

from app.demo import truth
from app.demo.drill.scene import Scene
from app.demo.drill.truth import mirrors, origins, standing
from app.demo.failed import check


def untouched(scene: Scene) -> None:
    """No link of others was removed by us; those of the right are as before, by id."""
    for side, served in scene.stage.sites.items():
        check(f"foreign links removed on {side}", expected=[], found=truth.trespasses(served.site))
    baseline, right = scene.stage.baselines["right"], scene.stage.right.site
    check("links of others", expected=baseline.fingerprint, found=baseline.now(right))


def restored(scene: Scene) -> None:
    """The left has what it had and what people made since, and the mirrors are those of it."""
    left, wanted = standing(scene.stage.left.site), scene.origins + scene.made
    check("links that the left lacks", expected=0, found=(wanted - left).total())
    check("links that the left has too many", expected=0, found=(left - wanted).total())
    for name, world in scene.worlds.items():
        want, have = origins(world).keys(), mirrors(world)
        check(f"origins of {name} without a mirror", expected=0, found=len(want - have.keys()))
        check(f"mirrors of {name} without an origin", expected=0, found=len(have.keys() - want))
        check(f"mirrors of {name} that are doubled", expected=0, found=have.total() - len(have))
