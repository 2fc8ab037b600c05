"""Whatever is sent, and by whom, the service answers as its document says, and never with 500."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from schemathesis import GenerationMode

from app.api.auth.roles import V1, Role, rule_for
from app.api.routing.openapi import build
from app.core.guard import RESETS_A_DAY
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import Api, Jira
from tests.api.http.test_limits import on_air

KNOWN = {"name": "ab", "site": "left", "id": "1", "number": "1", "engine": "0.1.0"}
EXAMPLES = {Role.VIEWER: 2, Role.OPERATOR: 2, Role.APPROVER: 2, Role.ADMIN: 4}
"""Of each operation that the role may call. Roles include each other: what a viewer may read is
read by all four."""
SOAKED = 12
"""Of each operation, for twelve tokens, over a socket: about six minutes in all."""


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(build(create_app(Settings())))
    results: list[Any] = list(schema.get_all_operations())
    found = [result.ok() for result in results]
    return [it for it in found if it.path.startswith(V1) and not it.path.endswith("/events")]


@pytest.mark.parametrize("role", list(Role))
async def test_nothing_that_is_sent_breaks_it(api: Api, connected: Jira, role: Role) -> None:
    seen = await fuzzed(await api.token(role.value), role, EXAMPLES[role])
    # Else the cases would have been about nothing.
    assert {200, 404, 422} <= seen.keys()
    assert (403 in seen) == (role is not Role.ADMIN)


@pytest.mark.parametrize("confined", [None, ["ab"], ["other"]])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_nothing_that_is_sent_over_a_socket_breaks_it(
    api: Api, connected: Jira, role: Role, confined: list[str] | None
) -> None:
    """Many more, against the server as it runs, also with tokens that see one connection only."""
    await api.other()
    more = {} if confined is None else {"connections": confined}
    token = (await api.token(role.value, **more)).headers["Authorization"].partition(" ")[2]
    async with on_air(api.app) as port, live(api, port, token) as client:
        seen = await fuzzed(client, role, SOAKED, confined=confined is not None)
    assert {200, 404, 422} <= seen.keys()


class Resets:
    """The one thing that a valid token may not do without end: reset a guard, three times a day."""

    def __init__(self) -> None:
        self._done: Counter[str] = Counter()

    def count(self, answer: httpx.Response) -> None:
        path = answer.request.url.path
        if path.endswith("/guard/reset") and answer.status_code == 200:
            self._done[path] += 1

    def spent(self, answer: httpx.Response) -> bool:
        """Whether it is refused for that, and rightly."""
        path = answer.request.url.path
        return self._done[path] >= RESETS_A_DAY and answer.json()["code"] == "guard_resets_spent"


@asynccontextmanager
async def live(api: Api, port: int, token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}"},
        event_hooks={"response": [api.contract.check]},
        trust_env=False,
        timeout=60,
    ) as client:
        yield client


async def fuzzed(
    client: httpx.AsyncClient, role: Role, examples: int, *, confined: bool = False
) -> Counter[int]:
    """How often each status came. Cases are drawn in a thread, as Hypothesis knows no event loop,
    and sent in this one; the client holds every answer against the document."""
    loop = asyncio.get_running_loop()
    seen: Counter[int] = Counter()
    resets = Resets()

    def drawn(operation: Any) -> None:
        rule = rule_for(operation.method.upper(), operation.path)
        allowed = role.includes(rule.role) and not (confined and rule.everywhere)

        @given(data=st.data())
        @tuned(
            max_examples=examples if allowed else 1,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def run(data: st.DataObject) -> None:
            mode = data.draw(st.sampled_from(GenerationMode))
            case = data.draw(operation.as_strategy(generation_mode=mode))
            if case.method != "DELETE" and data.draw(st.booleans()):
                known = {name: KNOWN[name] for name in case.path_parameters or {}}
                case.path_parameters = known
            future = asyncio.run_coroutine_threadsafe(_send(client, case), loop)
            answer = future.result(timeout=60)
            where = f"{role} {case.method} {case.path}: {answer.status_code} {answer.text}"
            assert answer.status_code < 500 or answer.status_code == 503, where
            assert answer.status_code != 401, where
            assert answer.status_code != 429 or resets.spent(answer), where
            resets.count(answer)
            # An address that is no route any more, such as one with an empty name, has no role.
            routed = answer.status_code not in {404, 405}
            assert (answer.status_code == 403) == (not allowed) or not routed, where
            seen[answer.status_code] += 1

        run()

    for operation in operations():
        await asyncio.to_thread(drawn, operation)
    return seen


async def _send(client: httpx.AsyncClient, case: Any) -> httpx.Response:
    values = case.as_transport_kwargs(base_url=str(client.base_url))
    drawn = values.get("headers", {})
    # Who calls is no chance.
    values["headers"] = {k: v for k, v in drawn.items() if k.lower() != "authorization"}
    values.pop("cookies", None)
    if "data" in values:
        values["content"] = values.pop("data")
    return await client.request(**values)
