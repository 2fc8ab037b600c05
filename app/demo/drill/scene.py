"""The stage of the drill: the demo's stage with another world, and a receiver."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from app.demo.drill.receiver import Receiver, receiving
from app.demo.drill.truth import Triple, standing
from app.demo.drill.worlds import ALPHA, build_worlds
from app.demo.service import Json
from app.demo.stage import Stage, open_stage
from app.sandbox.worlds import World
from app.settings import Settings


@dataclass
class Figures:
    """Unix seconds, and counts."""

    first_deletion: float = 0.0
    last_deletion: float = 0.0
    noticed: float = 0.0
    told: float = 0.0
    rolled_back: float = 0.0
    roll_back_took: float = 0.0
    restored: float = 0.0
    deleted: int = 0
    removed: int = 0
    limit: int = 0


@dataclass
class Scene:
    """`origins` are the left's links as they were; `made` counts those that people made
    since. `lost` are the mirrors that went before the guard held, `incidents` what opened,
    by connection."""

    stage: Stage
    worlds: Mapping[str, World]
    receiver: Receiver
    origins: Counter[Triple]
    made: Counter[Triple] = field(default_factory=Counter)
    lost: dict[str, int] = field(default_factory=dict)
    incidents: dict[str, Json] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)


@asynccontextmanager
async def open_scene(
    settings: Settings, bound: socket.socket, address: str, versions: Mapping[str, str]
) -> AsyncIterator[Scene]:
    """Closed in reverse. `DemoFailed` if a part does not start."""
    worlds = await asyncio.to_thread(build_worlds)
    async with receiving() as receiver:
        # Only this receiver gets notifications of the replayed incident.
        own = {"notify_urls": (SecretStr(receiver.url),), "page_urls": ()}
        settings = settings.model_copy(update=own)
        async with open_stage(
            settings, bound, address, versions, world=worlds[ALPHA], connections=tuple(worlds)
        ) as stage:
            yield Scene(stage, worlds, receiver, standing(worlds[ALPHA].left))
