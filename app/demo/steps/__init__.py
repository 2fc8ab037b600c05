"""The steps of the story, in their order. Each verifies what it claims or raises `DemoFailed`."""

from app.demo.stage import Stage
from app.demo.step import Step
from app.demo.steps import (
    connect,
    going_live,
    ground,
    incident,
    intact,
    person,
    rough,
    undone,
    vanish,
)

__all__ = ["STEPS", "Step"]

STEPS: tuple[Step[Stage], ...] = (
    Step("Two sites as they are", ground.act),
    Step("Connected in shadow, writing nothing", connect.act),
    Step("Going live", going_live.act),
    Step("A person links A-1 blocks A-2", person.act),
    Step("One delivery twice, one 429", rough.act),
    Step("The incident's rule, on a copy", incident.act),
    Step("60 origin links vanish", vanish.act),
    Step("A person undoes it", undone.act),
    Step("Nothing else was touched", intact.act),
)
