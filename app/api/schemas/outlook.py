"""What a connection has before it, in numbers."""

from app.api.schemas.base import Answer
from app.store.views.pending_work import Outlook, Planned


class PlannedAnswer(Answer):
    site: str
    type: str
    creates: int
    removes: int


class OutlookAnswer(Answer):
    """`creates` and `removes` are those of the open shadow plan: above shadow there is none."""

    twins: int
    creates: int
    removes: int
    held: int
    plans: int
    planned: list[PlannedAnswer]

    @classmethod
    def of(cls, it: Outlook, planned: list[Planned]) -> "OutlookAnswer":
        return cls.copied(
            it,
            creates=sum(row.creates for row in planned),
            removes=sum(row.removes for row in planned),
            planned=[PlannedAnswer.copied(row) for row in planned],
        )
