"""Tokens: make, list, revoke."""

from fastapi import Request, Response

from app.api.http.idempotency import withhold
from app.api.http.problems import Problem
from app.api.routing.dependencies import Id, Paged, Svc, Who, number
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.token import TokenAnswer, TokenMade, TokenPost
from app.core.config import Problem as FieldProblem
from app.store.access import tokens
from app.store.config import connections
from app.store.pool import Connection

router = api_router("tokens")


@router.post("/tokens", status_code=201, responses=problems("secret_not_replayed"))
async def post_token(
    body: TokenPost, services: Svc, caller: Who, request: Request, response: Response
) -> TokenMade:
    """Its text is shown once. With an Idempotency-Key a repeated call makes no second token,
    and gets 409: the text is not kept. Connections are those that have these names now."""
    now, text = services.clock(), tokens.new_text()
    if body.expires_at is not None and body.expires_at <= now:
        raise Problem("validation", errors=[FieldProblem("/expires_at", "must be in the future")])
    async with services.database.transaction() as conn:
        confined_to = await _ids(conn, body.connections)
        row = await tokens.insert(
            conn,
            text,
            role=body.role,
            owner=body.owner,
            confined_to=confined_to,
            created_by=caller.owner,
            expires_at=body.expires_at,
            now=now,
        )
    withhold(request, f"token {row.id} was made; delete it and make another")
    response.headers["Location"] = f"/api/v1/tokens/{row.id}"
    return TokenMade.of_new(row, text)


@router.get("/tokens", response_model=Listed[TokenAnswer])
async def list_tokens(services: Svc, page: Paged) -> object:
    """Those that are not revoked, without their texts."""
    async with services.database.connection() as conn:
        rows = await tokens.page(conn, after=page.after(0), limit=page.fetch)
    return page.answer(rows, TokenAnswer.of, lambda row: row.id)


@router.delete("/tokens/{id}", status_code=204, responses=problems("token_unknown"))
async def delete_token(id: Id, services: Svc) -> None:
    """Revoked at once; the record of it stays."""
    async with services.database.connection() as conn:
        done = await tokens.revoke(conn, number(id, "token_unknown"), services.clock())
    if not done:
        raise Problem("token_unknown")


async def _ids(conn: Connection, names: list[str] | None) -> list[int] | None:
    if names is None:
        return None
    known = await connections.share(conn, names)
    missing = [
        FieldProblem(f"/connections/{at}", "there is no such connection")
        for at, name in enumerate(names)
        if name not in known
    ]
    if missing:
        raise Problem("validation", errors=missing)
    return sorted(known.values())
