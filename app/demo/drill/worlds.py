"""The world of the drill: two connections over two sites, 500 twins, 2,000 links."""

from collections.abc import Mapping
from typing import Final

from app.demo.people import free_pairs
from app.sandbox.people import person_on
from app.sandbox.worlds import UNMAPPED, Places, Sizes, World, build, build_beside

ALPHA, BETA = "alpha", "beta"
"""The connections: the scope of one changes during the drill, the other does not change."""

SIZES: Final = Sizes(
    pairs=250, lonely=5, outside=10, both_sides=100, left_only=500, foreign_right=400, epics=0
)
"""Of each. Live, the right has 500 mirrors and 500 links of others."""

WIDER: Final = 8
"""Links of a type that is mapped by mistake, for a while."""


def build_worlds() -> Mapping[str, World]:
    """By connection."""
    alpha = build(SIZES, right_flavour="datacenter")
    beta = build_beside(alpha, Places("C", "D", "Q", "R"), SIZES, seed=1)
    bob = person_on(alpha.left, "bob")
    for source, destination in free_pairs(alpha, WIDER):
        bob.link(source, UNMAPPED[0], destination)
    return {ALPHA: alpha, BETA: beta}
