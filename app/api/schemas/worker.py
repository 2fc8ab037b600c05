"""Worker processes, and the versions of the service that they run."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Text
from app.store.upkeep.engines import Engine
from app.store.upkeep.workers import ALIVE, Worker


class WorkerAnswer(Answer):
    id: str
    host: str = Field(description="As its machine names itself")
    engine: str = Field(description="The version that runs there")
    started_at: datetime
    seen_at: datetime = Field(description="Its last sign; one comes every ten seconds")
    alive: bool = Field(
        description=f"Its last sign is less than {ALIVE.total_seconds():.0f} s old. A worker that"
        " ended in order is not in the list"
    )

    @classmethod
    def of(cls, it: Worker, now: datetime) -> "WorkerAnswer":
        return cls(
            id=str(it.id),
            host=it.host,
            engine=it.engine,
            started_at=it.started_at,
            seen_at=it.seen_at,
            alive=it.alive(now),
        )


class DifferenceAnswer(Answer):
    row: int = Field(description="Of the decision table, as it was recorded")
    outcome: str
    row_now: int = Field(description="The row that this version follows")
    outcome_now: str
    count: int


class EngineAnswer(Answer):
    engine: str
    seen_at: datetime = Field(description="When its first worker began here")
    verdict: Literal["agrees", "differs", "accepted"] = Field(
        description="`differs`: its workers write nothing until it is accepted"
    )
    compared: int = Field(description="Recorded decisions that it made again")
    unreadable: int = Field(description="Recorded decisions that it cannot read")
    digest: str = Field(description="Of its differences")
    differences: list[DifferenceAnswer]
    accepted_at: datetime | None
    accepted_by: str | None

    @classmethod
    def of(cls, it: Engine) -> "EngineAnswer":
        return cls(
            engine=it.engine,
            seen_at=it.seen_at,
            verdict=it.judged.verdict.value,
            compared=it.judged.compared,
            unreadable=it.judged.unreadable,
            digest=it.digest,
            differences=[
                DifferenceAnswer(
                    row=one.rule.row,
                    outcome=one.rule.outcome,
                    row_now=one.rule.row_now,
                    outcome_now=one.rule.outcome_now,
                    count=one.count,
                )
                for one in it.judged.differences
            ],
            accepted_at=it.accepted_at,
            accepted_by=it.accepted_by,
        )


class EngineAccept(Body):
    digest: Text = Field(description="Of the differences as they were reviewed")
