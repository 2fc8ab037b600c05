"""Worker processes."""

from datetime import datetime

from pydantic import Field

from app.api.schemas.base import Answer
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
