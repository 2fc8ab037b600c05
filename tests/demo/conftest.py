"""The demo's stage on this test's own database, and a browser's view of its page."""

import logging
import socket
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path

import httpx
import pytest

from app.demo.page import install
from app.demo.stage import Stage, open_stage
from app.demo.teller import Teller
from app.settings import Settings

VERSIONS = {"PostgreSQL": "18", "Valkey": "9"}


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The demo takes the log over."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def address(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def demo_settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"data_dir": tmp_path})


@pytest.fixture
async def stage(
    demo_settings: Settings, bound: socket.socket, address: str
) -> AsyncIterator[Stage]:
    async with open_stage(demo_settings, bound, address, VERSIONS) as stage:
        install(stage)
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """Sends what the page's own script sends."""
    headers = {"X-Twinlink-Demo": "1"}
    async with httpx.AsyncClient(
        base_url=stage.address, headers=headers, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def told() -> StringIO:
    """What the story said so far."""
    return StringIO()


@pytest.fixture
def tell(told: StringIO) -> Teller:
    return Teller(told, began=0.0)
