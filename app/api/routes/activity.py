"""What a connection did over time, for charts."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query

from app.api.http.problems import Problem
from app.api.routing.dependencies import Svc, TheConnection
from app.api.routing.responses import problems
from app.api.routing.route import api_router
from app.api.schemas.activity import ActivityAnswer, BucketName
from app.api.schemas.base import Moment
from app.core.config import Problem as FieldProblem
from app.store.views import activity

router = api_router("connections")
MOST = 1000
"""Buckets of one answer: forty days by hour, almost three years by day."""
_LENGTH = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@router.get("/connections/{name}/activity", responses=problems("connection_unknown", "validation"))
async def get_activity(
    connection: TheConnection,
    services: Svc,
    *,
    since: Annotated[Moment | None, Query(description="Left out: two days ago")] = None,
    until: Annotated[Moment | None, Query(description="Left out: now")] = None,
    bucket: Annotated[BucketName, Query(description="In UTC")] = "hour",
) -> ActivityAnswer:
    """Links made and removed by bucket, oldest first, empty buckets included; at most 1,000."""
    end = until or services.clock()
    begin = since or end - timedelta(days=2)
    if not timedelta(0) <= end - begin <= MOST * _LENGTH[bucket]:
        detail = f"`since` to `until` holds at most {MOST} buckets"
        raise Problem("validation", detail, errors=[FieldProblem("/since", detail)])
    async with services.database.connection() as conn:
        rows = await activity.of_connection(
            conn, connection.id, since=begin, until=end, bucket=bucket
        )
    return ActivityAnswer.of(rows)
