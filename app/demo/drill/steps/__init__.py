"""The steps of the drill, in their order. Each verifies what it claims or raises `DemoFailed`."""

from app.demo.drill.scene import Scene
from app.demo.drill.steps import ground, held, rescued, rolled_back, script, stands
from app.demo.step import Step

__all__ = ["STEPS", "Step"]

STEPS: tuple[Step[Scene], ...] = (
    Step("Two connections, live", ground.act),
    Step("A script deletes origins while the scope changes", script.act),
    Step("What was held, noticed and notified", held.act),
    Step("One call rolls back and undoes", rolled_back.act),
    Step("Held links stay, the origins come back", rescued.act),
    Step("Two full comparisons later", stands.act),
)
