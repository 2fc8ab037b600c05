"""arq's task. It carries a wake-up and nothing else: what there is to do stands in PostgreSQL."""

from typing import Any

from workers.pump import Pump


async def work(ctx: dict[str, Any]) -> None:
    """Wake this worker's pump. Ends at once, so no time-out, retry or abort of arq's can
    touch a write."""
    pump: Pump = ctx["pump"]
    pump.poke()
