"""Who calls: what a token may, for clients that show only what it may do."""

from app.api.routing.dependencies import Who
from app.api.routing.route import api_router
from app.api.schemas.token import Me

router = api_router("tokens")


@router.get("/me")
async def get_me(caller: Who) -> Me:
    """The token of this request."""
    confined = None if caller.names is None else list(caller.names)
    return Me(id=caller.id, owner=caller.owner, role=caller.role.value, connections=confined)
