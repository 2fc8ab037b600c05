"""arq's task. It carries a wake-up and nothing else: what there is to do stands in PostgreSQL."""

from typing import Any


async def work(ctx: dict[str, Any]) -> None:
    """Nothing: the pump was woken when the wake-up was seen (see ``wakes``), and looks by itself.
    So no time-out, retry or abort of arq's can touch a write."""
