"""A command line that speaks to a service of the test's making instead of the network."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app

Answer = tuple[int, Any] | Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeService:
    """Answers by method and path below `/api/v1`; remembers what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        key = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        answer = self.answers.get(key)
        if answer is None:
            raise AssertionError(f"nobody expected {key}")
        return answer(request) if callable(answer) else httpx.Response(answer[0], json=answer[1])

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked if request.content]

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.asked]


@dataclass
class Line:
    """The command line of one test, with an environment of its own."""

    service: FakeService
    env: dict[str, str]

    def __call__(self, *arguments: str, input: str | None = None) -> Result:
        transport = httpx.MockTransport(self.service)
        return CliRunner().invoke(app, arguments, input=input, env=self.env, obj=transport)

    def json(self, *arguments: str, input: str | None = None) -> Any:
        """What `--json` prints: nothing else may be on standard output."""
        return json.loads(self(*arguments, "--json", input=input).stdout)


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def line(service: FakeService, tmp_path: Path) -> Line:
    return Line(service, {"TWINLINK_API_TOKEN": "t" * 20, "TWINLINK_DATA_DIR": str(tmp_path)})


def problem(status: int, code: str, **more: Any) -> Answer:
    body = {
        "type": f"urn:twinlink:problem:{code}",
        "title": "It cannot be",
        "status": status,
        "detail": "It cannot be",
        "code": code,
        "errors": [],
        "request_id": "r-1",
        **more,
    }
    return status, body


def listed(*items: Any, next: str | None = None) -> Answer:
    return 200, {"items": list(items), "next": next}
