"""Adoptions: whose links to take over, and how far it is."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Instant, Text
from app.api.schemas.planned import status_of
from app.store.views.adoptions import AdoptionShown

Status = Literal[
    "planning", "refused", "held", "applying", "succeeded", "partial", "rejected", "expired"
]


class AdoptionPost(Body):
    account_id: Text = Field(
        description="`accountId` on Cloud, the user key on Data Center. It is kept as a keyed hash"
    )
    since: Instant = Field(description="Written from this instant on")
    until: Instant = Field(description="Written before this instant")
    confirm_account: Text | None = Field(
        None,
        description="`account_id` once more: adopt it although it also wrote links that are no"
        " pairs of a mirror and its origin, as a person does",
    )


class AdoptionMade(Answer):
    id: str
    plan_id: str
    status: Status


class AdoptionAnswer(Answer):
    id: str
    connection: str
    plan_id: str
    status: Status
    since: datetime
    until: datetime
    pairs: int = Field(description="Links that are there without being managed, as far as planned")
    adoptable: int = Field(description="Of these, what the account wrote on exactly one side")
    paired: int = Field(
        description="Links that the account wrote on the connection's issues and that have an equal"
        " one on the other side which Twinlink did not make"
    )
    unpaired: int = Field(description="Its links there that have none")
    adopted: int
    skipped: int = Field(description="Each with its reason in the plan")
    failed: int
    requested_by: str
    created_at: datetime
    planned_at: datetime | None

    @classmethod
    def of(cls, it: AdoptionShown) -> "AdoptionAnswer":
        return cls.copied(
            it,
            id=str(it.id),
            plan_id=str(it.plan_id),
            status=_status(it),
            planned_at=it.sealed_at,
        )


def _status(it: AdoptionShown) -> Status:
    if it.refused_at is not None:
        return "refused"
    return status_of(it.plan_status, failed=it.failed)
