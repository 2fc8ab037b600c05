"""What a demo adds to the console: a panel on which a person makes and deletes links on either
sandbox site, and the page at `/demo` that shows every webhook and call as well."""

from app.demo.page.feed import Feed
from app.demo.page.panel import SandboxPanel
from app.demo.page.routes import router_for
from app.demo.page.state import View
from app.demo.stage import Stage


def install(stage: Stage) -> None:
    """The console shows the panel, and links to the page."""
    view = View(stage, Feed(stage))
    router = router_for(view)
    stage.app.router.routes[:0] = router.routes
    stage.app.state.sandbox_page = "/demo"
    stage.app.state.sandbox_panel = SandboxPanel(view)
