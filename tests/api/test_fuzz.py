"""Whatever is sent, the service answers as its document says, and never with 500."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from schemathesis import GenerationMode

from app.api.openapi import build
from app.api.roles import V1
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import ADMIN, Api, Jira

KNOWN = {"name": "ab", "site": "left", "id": "1", "number": "1"}
EXAMPLES = 12
"""Of each operation; enough for every type of field to be wrong once."""


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(build(create_app(Settings())))
    results: list[Any] = list(schema.get_all_operations())
    found = [result.ok() for result in results]
    return [it for it in found if it.path.startswith(V1) and not it.path.endswith("/events")]


async def test_nothing_that_is_sent_breaks_it(api: Api, connected: Jira) -> None:
    """Cases are drawn in a thread, as Hypothesis knows no event loop, and sent in this one."""
    loop = asyncio.get_running_loop()
    client = api.client()
    seen: Counter[int] = Counter()

    def drawn(operation: Any) -> None:
        @given(data=st.data())
        @tuned(
            max_examples=EXAMPLES,
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
            where = f"{case.method} {case.path}: {answer.text}"
            assert answer.status_code != 500, where
            assert answer.status_code != 401, where
            seen[answer.status_code] += 1

        run()

    for operation in operations():
        await asyncio.to_thread(drawn, operation)
    # Else the cases would have been about nothing.
    assert {200, 404, 422} <= seen.keys()
    assert seen.total() > 5 * len(operations())


async def _send(client: httpx.AsyncClient, case: Any) -> httpx.Response:
    values = case.as_transport_kwargs(base_url="http://twinlink")
    values["headers"] = {**values.get("headers", {}), "Authorization": f"Bearer {ADMIN}"}
    values.pop("cookies", None)
    if "data" in values:
        values["content"] = values.pop("data")
    return await client.request(**values)
