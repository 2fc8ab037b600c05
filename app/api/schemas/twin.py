"""Twins: pairs of issues, and claims that pair nothing."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Storable
from app.api.schemas.connection import Released
from app.core.links import IssueKey
from app.core.twin_claims import ClaimStatus
from app.store.views.twins import TwinShown
from app.sync.twins.pairing import Claim, Paired

Status = Literal[
    ClaimStatus.PAIRED,
    ClaimStatus.UNCHANGED,
    ClaimStatus.UNKNOWN_ISSUE,
    ClaimStatus.WRONG_PROJECT,
    ClaimStatus.ALREADY_PAIRED,
    ClaimStatus.AMBIGUOUS,
    ClaimStatus.ERROR,
]
Listable = Literal[
    ClaimStatus.PAIRED,
    ClaimStatus.UNKNOWN_ISSUE,
    ClaimStatus.WRONG_PROJECT,
    ClaimStatus.ALREADY_PAIRED,
    ClaimStatus.AMBIGUOUS,
    ClaimStatus.ERROR,
]
# Any text is a claim: one that is no key is an unknown issue, and stops none of the others.
Key = Annotated[str, Field(min_length=1, max_length=300), Storable]


class PairBody(Body):
    left: Key
    right: Key


class TwinsPost(Body):
    twins: Annotated[list[PairBody], Field(min_length=1, max_length=1000)]
    dry_run: bool = Field(
        default=False,
        description="Pair nothing: `paired` means that it could be. Twins that are there already"
        " are not looked at",
    )

    def claims(self) -> list[Claim]:
        return [Claim(IssueKey(it.left), IssueKey(it.right)) for it in self.twins]


class Outcome(Answer):
    id: str | None = Field(description="The twin's; null where nothing is paired")
    left: str
    right: str
    status: Status
    detail: str

    @classmethod
    def of(cls, it: Paired) -> "Outcome":
        return cls(
            id=None if it.id is None else str(it.id),
            left=it.claim.left,
            right=it.claim.right,
            status=it.status,
            detail=it.detail,
        )


class Outcomes(Answer):
    items: list[Outcome]


class Unpairing(Released):
    held: int = Field(
        description="Links that stay managed until an approver decides: more are let go than the"
        " guard's windows have room for"
    )
    plan_id: str | None = Field(description="The plan that they wait in; null: the pair has ended")


class TwinAnswer(Answer):
    id: str | None
    left: str
    right: str
    left_id: str | None
    right_id: str | None
    status: Listable
    detail: str
    suspended: str | None = Field(description="Why nothing is planned for it; null in scope")
    source: Literal["api", "field"]
    at: datetime

    @classmethod
    def of(cls, it: TwinShown) -> "TwinAnswer":
        plain = {name: getattr(it, name) for name in cls.model_fields if name != "id"}
        return cls.model_validate({**plain, "id": None if it.id is None else str(it.id)})


class NamedTwin(TwinAnswer):
    connection: str

    @classmethod
    def of_issue(cls, it: tuple[str, TwinShown]) -> "NamedTwin":
        name, twin = it
        return cls(**TwinAnswer.of(twin).model_dump(), connection=name)
