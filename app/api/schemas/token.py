"""Tokens. The text of one is in the answer that made it and nowhere else."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.api.schemas.base import Answer, Body, Moment, Name, Text
from app.store.access.tokens import TokenRow

_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
RoleName = Literal["viewer", "operator", "approver", "admin"]


def _no_address(owner: str) -> str:
    if _ADDRESS.search(owner):
        raise ValueError("must be an identifier, not an address: it is kept in the audit")
    return owner


class TokenPost(Body):
    role: RoleName
    owner: Annotated[Text, AfterValidator(_no_address)] = Field(
        description="Who answers for it: an identifier and no address, since it goes into the"
        " audit. Two approvers are two owners"
    )
    connections: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The only ones that it reaches; left out, all"
    )
    expires_at: Moment | None = Field(None, strict=False)


class TokenAnswer(Answer):
    id: str
    role: RoleName
    owner: str
    connections: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: TokenRow) -> "TokenAnswer":
        return cls.model_validate(_plain(row))


class Me(Answer):
    """The token of the request; the environment's is `bootstrap`."""

    id: str
    owner: str
    role: RoleName
    connections: list[str] | None = Field(description="The only ones that it sees; null: all")


class TokenMade(TokenAnswer):
    token: str = Field(description="Shown this once")

    @classmethod
    def of_new(cls, row: TokenRow, text: str) -> "TokenMade":
        return cls.model_validate({**_plain(row), "token": text})


def _plain(row: TokenRow) -> dict[str, object]:
    plain = {name: getattr(row, name) for name in TokenAnswer.model_fields}
    return {**plain, "id": str(row.id)}
