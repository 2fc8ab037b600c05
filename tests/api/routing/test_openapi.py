"""The committed document is the one that the code gives, valid, and complete."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from app.api.auth.roles import RULES, V1
from app.api.http.problems import KINDS
from app.api.routing.openapi import build, text
from app.main import create_app
from app.settings import Settings

COMMITTED = Path(__file__).parents[3] / "openapi" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build(create_app(Settings()))


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", "put", "post", "delete"}
    ]


def test_committed_document_has_not_drifted() -> None:
    """Write it anew with `twinlink openapi` when this fails."""
    assert COMMITTED.read_text("utf-8") == text(create_app(Settings()))


def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(json.loads(json.dumps(document)))


def test_every_rule_is_a_route_and_every_route_has_a_rule(document: dict[str, Any]) -> None:
    served = {(m, p.removeprefix(V1)) for m, p, _ in operations(document) if p.startswith(V1)}
    assert served == set(RULES)


def test_every_api_operation_documents_what_its_frame_answers(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if not path.startswith(V1):
            continue
        where = f"{method} {path}"
        answers = operation["responses"]
        assert {"401", "403", "406", "500", "503"} <= set(answers), where
        assert operation["security"] == [{"token": []}], where
        assert operation.get("summary"), where
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(answers), where
        if "{" in path and method != "PUT":
            assert "404" in answers, where


def test_every_code_is_documented_somewhere(document: dict[str, Any]) -> None:
    """`not_found` and `method_not_allowed` belong to addresses that have no operation."""
    everything = json.dumps(document)
    outside = {"not_found", "method_not_allowed", "body_too_slow", "delivery_unstorable"}
    outside |= {"malformed_delivery", "signature_invalid"}
    missing = {code for code in KINDS if f"`{code}`" not in everything} - outside
    assert not missing


def test_no_answer_has_a_field_for_a_secret(document: dict[str, Any]) -> None:
    """Only the answer that makes a token holds its text."""
    schemas = document["components"]["schemas"]
    holders = {
        name
        for name, schema in schemas.items()
        if {"token", "webhook_secret", "email"} & set(schema.get("properties", {}))
    }
    assert holders == {"Basic", "Bearer", "SitePut", "TokenMade"}
