"""arq's one task: a pass. What there is to do is in PostgreSQL, so the job carries nothing."""

from typing import Any

from workers.passes import Passes


async def work(ctx: dict[Any, Any]) -> dict[str, int]:
    """Claim, look, act, settle; answers what that was. A lost job or a doubled one changes nothing,
    and arq's time-out, abort or shutdown ends this wait, not the pass (see `Passes.run`)."""
    passes: Passes = ctx["passes"]
    return (await passes.run()).summary
