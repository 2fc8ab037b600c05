"""Which worker processes run."""

from functools import partial

from app.api.routing.dependencies import PagedWhole, Svc
from app.api.routing.route import api_router
from app.api.schemas.base import Listed
from app.api.schemas.worker import WorkerAnswer
from app.store.upkeep import workers

router = api_router("workers")


@router.get("/workers", response_model=Listed[WorkerAnswer])
async def list_workers(services: Svc, page: PagedWhole) -> object:
    """In the order in which they started. One that ended without a word stays for a day."""
    async with services.database.connection() as conn:
        rows = await workers.page(conn, after=page.after(0), limit=page.fetch)
    shown = partial(WorkerAnswer.of, now=services.clock())
    return page.answer(rows, shown, lambda it: it.id)
