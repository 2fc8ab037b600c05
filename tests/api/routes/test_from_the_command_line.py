"""Decisions and roll-backs as somebody makes them on a terminal, on the real service.

The commands run in a thread and speak to the application in this one's loop. What they print is
tested in `tests/cli`; here it is what they bring about.
"""

import asyncio
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app.api.auth.roles import V1
from app.cli.commands import plan as commands
from app.cli.main import app
from tests.api.conftest import ADMIN, connection_body
from tests.api.flow import AB, Flow

CHAIN = [("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3")]


class Bridge(httpx.BaseTransport):
    """From a thread to the application, which runs in *loop*."""

    def __init__(self, flow: Flow, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = httpx.ASGITransport(flow.api.app)
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport) as client:
                return await client.request(
                    request.method, request.url, headers=request.headers, content=request.read()
                )

        answer = asyncio.run_coroutine_threadsafe(send(), self._loop).result(timeout=60)
        headers = {"content-type": answer.headers.get("content-type", "")}
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


async def line(flow: Flow, *arguments: str, token: str = ADMIN, answer: str = "") -> int:
    """The exit code."""
    bridge = Bridge(flow, asyncio.get_running_loop())
    env = {"TWINLINK_API_TOKEN": token, "TWINLINK_API_URL": "http://127.0.0.1:1"}
    result = await asyncio.to_thread(
        CliRunner().invoke, app, arguments, input=answer, env=env, obj=bridge
    )
    return result.exit_code


async def token(flow: Flow, owner: str) -> str:
    made = await flow.call("POST", f"{V1}/tokens", {"role": "approver", "owner": owner})
    return str(made["token"])


async def held_plan(flow: Flow) -> dict[str, Any]:
    await flow.mode("review")
    for origin in await flow.mirrored(*CHAIN):
        flow.ann.unlink(origin)
    await flow.compare()
    return await flow.sealed()


async def status(flow: Flow, plan: dict[str, Any]) -> str:
    return str((await flow.call("GET", f"{V1}/plans/{plan['id']}"))["status"])


async def test_approve_what_is_shown(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await held_plan(flow)
    assert await line(flow, "plan", "approve", plan["id"]) == 2
    assert await line(flow, "plan", "approve", plan["id"], "--digest", "0" * 64) == 1
    monkeypatch.setattr(commands, "can_ask", lambda: True)
    assert await line(flow, "plan", "approve", plan["id"], answer="n\n") == 1
    assert await status(flow, plan) == "held"
    assert await line(flow, "plan", "approve", plan["id"], "--no-wait", answer="y\n") == 0
    await flow.run()
    assert await status(flow, plan) == "applied"
    assert flow.mirrors == []


async def test_reject(flow: Flow) -> None:
    plan = await held_plan(flow)
    said = ("--digest", plan["digest"], "--note", "they are wanted")
    assert await line(flow, "plan", "reject", plan["id"], *said) == 0
    shown = await flow.call("GET", f"{V1}/plans/{plan['id']}")
    assert (shown["status"], shown["note"]) == ("rejected", "they are wanted")
    assert await line(flow, "plan", "approve", plan["id"], *said) == 1
    await flow.compare()
    assert len(flow.mirrors) == 2


async def test_too_late(flow: Flow) -> None:
    plan = await held_plan(flow)
    await flow.db.execute("UPDATE plans SET expires_at = now() - interval '1 second'")
    for command in ("approve", "reject"):
        assert await line(flow, "plan", command, plan["id"], "--digest", plan["digest"]) == 1
    await flow.run()
    assert await status(flow, plan) == "expired"


async def test_two_owners(flow: Flow) -> None:
    await flow.call("PUT", AB, connection_body(approvals=2))
    plan = await held_plan(flow)
    decide = ("plan", "approve", plan["id"], "--digest", plan["digest"], "--no-wait")
    ann, bob = await token(flow, "Ann"), await token(flow, "Bob")
    assert await line(flow, *decide, token=ann) == 3
    assert await line(flow, *decide, token=ann) == 1
    assert await status(flow, plan) == "approved"
    assert await line(flow, *decide, token=bob) == 0
    await flow.run()
    assert flow.mirrors == []


async def test_reset(flow: Flow) -> None:
    window = {"share": 0.001, "min": 1, "max": 1}
    await flow.call("PUT", AB, connection_body(guard={"hour": window, "day": window}))
    await flow.mode("live")
    for origin in await flow.mirrored(*CHAIN):
        flow.ann.unlink(origin)
    await flow.compare()
    assert (await flow.call("GET", AB))["guard"]["state"] == "tripped"
    assert await line(flow, "guard", "reset", "ab") == 0
    await flow.run()
    assert flow.mirrors == [], "what was not sealed yet is judged under fresh windows"


async def test_roll_back(flow: Flow) -> None:
    await flow.mode("live")
    await flow.call("PUT", AB, connection_body(on_mirror_removed="recreate"))
    assert await line(flow, "rollback", "ab", "--to", "9") == 1
    assert await line(flow, "rollback", "ab", "--to", "1", "--undo") == 0
    shown = await flow.call("GET", AB)
    assert (shown["revision"], shown["on_mirror_removed"], shown["mode"]) == (3, "detach", "live")
