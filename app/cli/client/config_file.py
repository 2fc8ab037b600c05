"""Sites and connections as one file, with secrets by reference: `{env: NAME}` or `{file: PATH}`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.cli.client.api_client import Service
from app.cli.output.errors import UsageError
from app.cli.output.files import secret_of, text_of
from app.core.connection.as_sent import connection_as_sent
from app.settings import inherited

SECRETS = frozenset({"token", "second_token", "client_secret", "webhook_secret", "url"})
"""Names of fields that hold one, `url` that of a proxy."""
SITE_FIELDS = (
    "base_url",
    "web_url",
    "deployment",
    "account_dedicated",
    "requests_per_second",
    "token_expires_at",
    "webhook_basic",
    "ca_certificates",
    "proxy",
)
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """By name, in the form that the API takes."""

    sites: dict[str, Config]
    connections: dict[str, Config]


def read(path: str) -> ConfigFile:
    """Raises `UsageError` for a file that is none, or that holds a secret in plain text."""
    try:
        found = yaml.safe_load(text_of(path))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place else ""
        raise UsageError(f"{path} is not YAML{where}") from None
    parts = found if isinstance(found, dict) else {}
    if not parts or set(parts) - {"sites", "connections"}:
        raise UsageError(f"{path} must hold `sites` and `connections`, and nothing else")
    beside = Path(path).parent
    sites = {name: _resolved(it, beside) for name, it in (parts.get("sites") or {}).items()}
    return ConfigFile(sites, dict(parts.get("connections") or {}))


def _resolved(site: Any, beside: Path) -> Any:
    """With the secrets themselves. A variable that is not set leaves its field out: it is kept."""
    if not isinstance(site, dict):
        return site
    found = {}
    for field, value in site.items():
        if field not in SECRETS:
            found[field] = _resolved(value, beside)
        elif (secret := _secret(field, value, beside)) is not None:
            found[field] = secret
    return found


def _secret(field: str, value: Any, beside: Path) -> str | None:
    match value:
        case {"env": str() as name, **rest} if not rest:
            return inherited().get(name)
        case {"file": str() as path, **rest} if not rest:
            return secret_of(str(beside / path))
        case _:
            raise UsageError(
                f"{field} is a secret, which does not belong into this file",
                details=["write {env: NAME} or {file: PATH}, of a file beside it"],
            )


def exported(api: Service) -> str:
    """Everything that is configured, as YAML."""
    sites = {site["name"]: _site(site) for site in api.every("sites")}
    connections = {}
    for it in api.every("connections"):
        active = api.get(f"connections/{it['name']}/revisions/{it['revision']}")["config"]
        connections[it["name"]] = connection_as_sent(active)
    whole = {"sites": sites, "connections": connections}
    text: str = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")


def written(api: Service, file: str) -> str:
    """Everything that is configured, as a file to keep: with what it is for, on top."""
    return (
        f"# Sites and connections of Twinlink: twinlink apply -f {file}\n"
        "# A secret is a variable of the environment; one that is not set keeps what is stored.\n"
        f"{exported(api)}\n"
    )


def _site(site: Mapping[str, Any]) -> Config:
    prefix = site["name"].upper().replace("-", "_")
    kept = {field: site[field] for field in SITE_FIELDS if site.get(field) not in (None, "")}
    secret = "client_secret" if site["auth"]["kind"] == "oauth" else "token"
    auth = {"kind": site["auth"]["kind"], secret: {"env": f"{prefix}_{secret.upper()}"}}
    return {**kept, "auth": auth, "webhook_secret": {"env": f"{prefix}_WEBHOOK_SECRET"}}


def schema() -> dict[str, Any]:
    """The JSON Schema of such a file. What it leaves out is kept, so that nothing is required."""
    from app.api.schemas.connection_put import ConnectionPut  # noqa: PLC0415 - slow
    from app.api.schemas.site import SitePut  # noqa: PLC0415

    site, connection = (it.model_json_schema() for it in (SitePut, ConnectionPut))
    definitions = {**site.pop("$defs"), **connection.pop("$defs")}
    secret = {
        "description": "A reference to a secret: a variable of the environment, or a file",
        "oneOf": [
            {
                "type": "object",
                "properties": {way: {"type": "string"}},
                "required": [way],
                "additionalProperties": False,
            }
            for way in ("env", "file")
        ],
    }
    for part in (site, *(definitions[name] for name in ("Basic", "Bearer", "OAuth", "Proxy"))):
        for field in SECRETS & part["properties"].keys():
            part["properties"][field] = {"$ref": "#/$defs/SecretReference"}
    for part in (site, connection):
        part.pop("required", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Twinlink's sites and connections",
        "type": "object",
        "properties": {
            "sites": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Site"}},
            "connections": {
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/Connection"},
            },
        },
        "additionalProperties": False,
        "$defs": {
            **definitions,
            "SecretReference": secret,
            "Site": site,
            "Connection": connection,
        },
    }
