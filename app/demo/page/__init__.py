"""The page at `/demo`: make and delete links on either sandbox site, and watch the sync."""

from app.demo.page.feed import Feed
from app.demo.page.routes import router_for
from app.demo.page.state import View
from app.demo.stage import Stage


def install(stage: Stage) -> None:
    """The console links to it."""
    router = router_for(View(stage, Feed(stage)))
    stage.app.router.routes[:0] = router.routes
    stage.app.state.sandbox_page = "/demo"
