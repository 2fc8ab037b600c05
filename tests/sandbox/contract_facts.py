"""Writes down the facts of Atlassian's OpenAPI document that the sandbox and the client rely on.

    python -m tests.sandbox.contract_facts DOCUMENT

DOCUMENT is Jira Cloud's OpenAPI document, which Atlassian publishes for version 3 of its REST API.
For each Cloud route of the sandbox: its parameters, its body, its statuses, and the shapes of what
is sent. A shape is

| written as | is |
|---|---|
| `"string"`, `"integer"`, `"number"`, `"boolean"`, `"any"` | a value of that type |
| `"string ..128"`, `"integer 1..1000"` | with the longest text, or the least and greatest number |
| `"string or null"` | that, or null |
| `"=a|b"` | one of these texts |
| `["X"]`, `["X", "1..10"]`, `["X", "1..10 unique"]` | an array, of so many, each once |
| `"Name"` | that entry of `shapes` |
| `{"name!": "X", "*": "Y"}` | an object; `!`: has to be there, `*`: all other names |
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from app.sandbox.routes.routing import TABLE

FACTS = Path(__file__).parent.parent / "data" / "jira_cloud_v3.json"
PREFIX = "/rest/api/3"
Schema = dict[str, Any]
Shape = Any


def anonymous(template: str) -> str:
    """The template without the names of its wildcards."""
    return re.sub(r"\{[^}]+\}", "{}", template)


def facts_of(document: Schema) -> Schema:
    """KeyError where the sandbox has a Cloud route that the document lacks."""
    paths = {anonymous(path): path for path in document["paths"]}
    operations, used = {}, set[str]()
    for method, template, _, where in TABLE:
        if where == "datacenter":
            continue
        path = paths[anonymous(PREFIX + template)]
        operations[f"{method} {path}"] = _operation(document["paths"][path], method.lower(), used)
    shapes: Schema = {}
    while missing := sorted(used - set(shapes)):
        for name in missing:
            shapes[name] = _shape(document["components"]["schemas"][name], used)
    return {"operations": operations, "shapes": dict(sorted(shapes.items()))}


def _operation(item: Schema, method: str, used: set[str]) -> Schema:
    found = item[method]
    known = [*item.get("parameters", ()), *found.get("parameters", ())]
    made: Schema = {"query": sorted(one["name"] for one in known if one["in"] == "query")}
    if "requestBody" in found:
        made["body"] = _shape(_json_of(found["requestBody"]), used)
    made["answers"] = {
        status: _shape(_json_of(answer), used) if "content" in answer else None
        for status, answer in sorted(found["responses"].items())
    }
    return made


def _json_of(holder: Schema) -> Schema:
    return dict(holder.get("content", {}).get("application/json", {}).get("schema") or {})


def _shape(schema: Schema, used: set[str]) -> Shape:
    if "allOf" in schema:
        (schema,) = schema["allOf"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        used.add(name)
        return name
    if "enum" in schema:
        return "=" + "|".join(schema["enum"])
    if schema.get("type") == "array":
        return _array(schema, used)
    if "properties" in schema or schema.get("type") == "object":
        return _object(schema, used)
    bounds = _bounds(schema.get("minimum"), schema.get("maximum", schema.get("maxLength")))
    return schema.get("type", "any") + bounds + (" or null" if schema.get("nullable") else "")


def _array(schema: Schema, used: set[str]) -> Shape:
    bounds = _bounds(schema.get("minItems"), schema.get("maxItems"))
    if schema.get("uniqueItems"):
        bounds += " unique"
    items = _shape(schema.get("items", {}), used)
    return [items, bounds.strip()] if bounds else [items]


def _object(schema: Schema, used: set[str]) -> Shape:
    required = schema.get("required", ())
    made = {
        name + ("!" if name in required else ""): _shape(part, used)
        for name, part in sorted(schema.get("properties", {}).items())
    }
    others = schema.get("additionalProperties", True)
    if others is False:
        made["*"] = "nothing"
    elif isinstance(others, dict) and (shape := _shape(others, used)) != "any":
        made["*"] = shape
    return made


def _bounds(least: int | None, most: int | None) -> str:
    if least is None and most is None:
        return ""
    return f" {'' if least is None else least}..{'' if most is None else most}"


def main() -> None:
    facts = facts_of(json.loads(Path(sys.argv[1]).read_text()))
    FACTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(facts['operations'])} operations, {len(facts['shapes'])} shapes")


if __name__ == "__main__":
    main()
