"""Holds every exchange under /rest/api/3 against Atlassian's OpenAPI document.

Two known gaps between that document and real sites are tolerated by name: nulls in changelog
items (captured exports have them), and a remote-link list where the document says one object.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

SHARED = Path(__file__).parents[2].parent / "shared" / "jira"
DOCUMENT = SHARED / "jira-cloud-openapi.json"
PAYLOADS = SHARED / "payloads"
UNDOCUMENTED = frozenset({401, 403, 405, 410, 415, 429, 500, 502, 503})


class Contract:
    """``exchanges`` counts what was checked, per operation."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = json.loads(DOCUMENT.read_text())
        resource = DRAFT4.create_resource(self.document)
        self.registry: Registry[Any] = Registry().with_resource("urn:jira", resource)
        self.exchanges: dict[str, int] = {}
        self._templates = [
            (template, re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$"))
            for template in sorted(self.document["paths"], key=lambda path: path.count("{"))
        ]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        for template, pattern in self._templates:
            item = self.document["paths"][template]
            if pattern.match(path) and method.lower() in item:
                name = f"{method} {template}"
                self.exchanges[name] = self.exchanges.get(name, 0) + 1
                return dict(item[method.lower()])
        raise AssertionError(f"{method} {path} is not in the document")

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        """AssertionError unless request (when it was taken) and answer are as documented."""
        path = request.url.path
        if not path.startswith("/rest/api/3/"):
            return
        operation = self.operation(request.method, path)
        if response.status_code < 300 and "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            self._valid(content.get("schema"), json.loads(request.content), "request")
        documented = operation["responses"].get(str(response.status_code))
        if documented is None:
            assert response.status_code in UNDOCUMENTED, (path, response.status_code)
            return
        schema = documented.get("content", {}).get("application/json", {}).get("schema")
        if response.status_code == 204 or not response.content:
            assert schema in (None, {}), path
            return
        self._valid(schema, _tolerated(path, response.json()), path)

    def _valid(self, schema: dict[str, Any] | None, instance: Any, where: str) -> None:
        if not schema:
            return
        validator = OAS30Validator(_absolute(schema), registry=self.registry)
        errors = [
            f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)
        ]
        assert not errors, (where, errors)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:jira{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return schema


def _tolerated(path: str, made: Any) -> Any:
    if path.endswith("/remotelink") and isinstance(made, list):
        return made[0] if made else {}
    return _without_nulls(made)


def _without_nulls(made: Any) -> Any:
    if isinstance(made, list):
        return [_without_nulls(one) for one in made]
    if isinstance(made, dict):
        item = "fieldtype" in made
        return {
            key: _without_nulls(value)
            for key, value in made.items()
            if not (item and value is None)
        }
    return made


needs_document = pytest.mark.skipif(not DOCUMENT.exists(), reason="no OpenAPI document here")
needs_payloads = pytest.mark.skipif(not PAYLOADS.exists(), reason="no captured bodies here")
