"""What can be known of the chart without Helm: its values, its versions and its statement.

`make deploy-check` renders it (test_tools.py)."""

import json
import re
from pathlib import Path
from typing import Any, cast

import asyncpg
import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from app import __version__
from app.settings import variables
from tests.store.growth import fill_unchecked
from tests.support.servers import Database, Servers

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "twinlink"
EXAMPLES = ("least", "all")
_FILL = """
INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, webhook_secret_sealed)
    SELECT n, 'https://' || n || '.example.net', 'cloud', 'bearer', '', '' FROM
    unnest(ARRAY['left', 'right']) n;
INSERT INTO connections (name, left_site_id, right_site_id, revision, paused_at)
    VALUES ('paused', 1, 2, 1, now()), ('busy', 1, 2, 1, NULL);
INSERT INTO work (connection_id, twin_id, look, bulk, cause_kind, due_at, lease_until)
    VALUES (1, 1, true, false, 'webhook', now() - interval '2 h', NULL),
           (2, 2, true, false, 'webhook', now() - interval '1 h', now() + interval '1 min'),
           (2, 3, true, false, 'webhook', now() - interval '2 min', NULL),
           (2, 4, true, true, 'resync', now() - interval '10 min', NULL),
           (2, 5, true, false, 'webhook', now() + interval '10 min', NULL);
"""


def _values(name: str) -> dict[str, Any]:
    """The chart's own values with an example's over them, as Helm merges them."""
    own = yaml.safe_load((CHART / "values.yaml").read_text())
    example = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text())
    return cast("dict[str, Any]", _merged(own, example))


def _merged(under: Any, over: Any) -> Any:
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    both = {name: _merged(under[name], it) for name, it in over.items() if name in under}
    return {**under, **over, **both}


def _validate(values: dict[str, Any]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(values)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_fit_the_schema(name: str) -> None:
    _validate(_values(name))


@pytest.mark.parametrize("missing", ["installation", "existingSecret"])
def test_what_has_to_be_set_has_no_default(missing: str) -> None:
    own = yaml.safe_load((CHART / "values.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        _validate({**_values("least"), missing: own[missing]})


def test_a_misspelt_value_is_refused() -> None:
    with pytest.raises(jsonschema.ValidationError):
        _validate({**_values("least"), "instalation": "production"})
    with pytest.raises(jsonschema.ValidationError):
        _validate({**_values("least"), "settings": {"TWINLINK_READ_ONLY": True}})


def test_every_value_is_described_and_used() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    own = yaml.safe_load((CHART / "values.yaml").read_text())
    templates = "".join(it.read_text() for it in (CHART / "templates").iterdir())
    assert set(own) == set(schema["properties"]) - {"global"}
    for name in own:
        assert f"Values.{name}" in templates


def test_it_names_this_version_and_only_settings_that_exist() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    for path in (*(CHART / "templates").iterdir(), *CHART.glob("**/*values.yaml")):
        named = set(re.findall(r"TWINLINK_[A-Z_]*[A-Z]", path.read_text()))
        assert named <= set(variables()), path.name


async def test_workers_are_scaled_by_work_that_they_could_do(
    servers: Servers, database: Database, db: asyncpg.Pool
) -> None:
    """Neither that of a paused connection, nor what a worker has, nor what is due later. As the
    role that the service runs as."""
    statement = (CHART / "files" / "backlog_age.sql").read_text()
    conn = await asyncpg.connect(database.run_url)
    try:
        assert await conn.fetchval(statement) == 0
        await fill_unchecked(servers, database, _FILL)
        assert await conn.fetchval(statement) == pytest.approx(600, abs=60)
        await conn.execute("UPDATE connections SET paused_at = NULL")
        assert await conn.fetchval(statement) == pytest.approx(7200, abs=60)
        await conn.execute("INSERT INTO installation (id, paused_at) VALUES ('production', now())")
        assert await conn.fetchval(statement) == 0
    finally:
        await conn.close()
