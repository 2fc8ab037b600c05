"""Play the drill from its first step to its last, and report its measurements."""

import socket
import sys
from collections.abc import Mapping

from app.demo.drill.report import document, tell_figures
from app.demo.drill.scene import open_scene
from app.demo.drill.steps import STEPS
from app.demo.failed import DemoFailed
from app.demo.play import Told, end, own_log, play_steps, tail
from app.demo.teller import Teller
from app.settings import Settings

_LOG = "drill.log"


async def run(
    settings: Settings,
    bound: socket.socket,
    *,
    address: str,
    versions: Mapping[str, str],
    began: float,
    json: bool,
) -> int:
    """0 if each step came true, else 1; as the demo's."""
    tell = Teller(sys.stderr if json else sys.stdout, began=began)
    told: Told = []
    log = settings.data_dir / _LOG
    with own_log(settings, log):
        try:
            async with open_scene(settings, bound, address, versions) as scene:
                tell.title("The incident, replayed", "two connections, 500 twins, 2,000 links")
                check = scene.stage.raise_for_ended
                await play_steps(scene, STEPS, tell, told, check=check)
                tell_figures(scene.figures, tell)
                end(tell, told, json=json, figures=document(scene.figures))
        except DemoFailed as failed:
            tell.failed(str(failed), tail(log))
            return 1
    return 0
