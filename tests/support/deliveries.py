"""Two sites, a connection and twins in the database, and deliveries as Jira would send them."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import asyncpg

from app.store.config.vault import Vault
from app.store.secret_homes import AUTH, WEBHOOK, Home

KEY = "test-secret-key-0123456789abcdef"
SECRET = "It's a secret of this test"
BASE_URL = "https://jira.example"
BLOCKS = {
    "id": 10000,
    "name": "Blocks",
    "outwardName": "blocks",
    "inwardName": "is blocked by",
    "isSubTaskLinkType": False,
    "isSystemLinkType": False,
}


def home(site: str, base_url: str = BASE_URL) -> Home:
    """Of a site that was never checked."""
    return Home(site, base_url, None, None)


@dataclass(frozen=True, slots=True)
class World:
    """`twins[n]` pairs issue 100 + n on the left with 200 + n on the right."""

    left: int
    right: int
    connection: int
    twins: tuple[int, ...]


async def build_world(
    conn: asyncpg.Pool, *, twins: int = 3, field: str | None = None, secret: str = SECRET
) -> World:
    """*field*: the connection pairs by this custom field of the left side, in project A."""
    vault = Vault([KEY])
    left, right = [
        await conn.fetchval(
            "INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, "
            "webhook_secret_sealed) VALUES ($1, $2, 'cloud', 'basic', $3, $4) RETURNING id",
            name,
            BASE_URL,
            vault.seal("{}", home(name), AUTH),
            vault.seal(secret, home(name), WEBHOOK),
        )
        for name in ("left", "right")
    ]
    connection = await add_connection(conn, left, right, "joined", field=field)
    made = [await add_twin(conn, connection, left, right, number) for number in range(twins)]
    return World(left, right, connection, tuple(made))


async def add_connection(
    conn: asyncpg.Pool, left: int, right: int, name: str, *, field: str | None = None
) -> int:
    source = {"source": "field" if field else "api", "side": "left" if field else None}
    config = {"left": {"projects": ["A"]}, "right": {"projects": ["B"]}}
    config["twins"] = {**source, "field": field}  # type: ignore[dict-item]
    connection: int = await conn.fetchval(
        "INSERT INTO connections (name, left_site_id, right_site_id, revision) "
        "VALUES ($1, $2, $3, 1) RETURNING id",
        name,
        left,
        right,
    )
    await conn.execute(
        "INSERT INTO revisions (connection_id, revision, config, author) "
        "VALUES ($1, 1, $2::text::jsonb, 'test')",
        connection,
        json.dumps(config),
    )
    return connection


async def add_twin(conn: asyncpg.Pool, connection: int, left: int, right: int, number: int) -> int:
    twin: int = await conn.fetchval(
        "INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key, "
        "right_site_id, right_issue_id, right_key, source) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 'api') RETURNING id",
        connection,
        left,
        100 + number,
        f"A-{number}",
        right,
        200 + number,
        f"B-{number}",
    )
    return twin


def link_event(
    source: object = 100, destination: object = 101, *, created: bool = True, **fields: Any
) -> bytes:
    """A link event in Jira's shape; *fields* replace parts of the link."""
    link = {
        "id": 5000,
        "sourceIssueId": source,
        "destinationIssueId": destination,
        "issueLinkType": BLOCKS,
        "systemLink": False,
        **fields,
    }
    name = "issuelink_created" if created else "issuelink_deleted"
    event = {"timestamp": 1594081854017, "webhookEvent": name, "issueLink": link}
    return json.dumps(event).encode()


def issue_event(
    name: str, issue: object = "100", key: str = "A-1", items: list[dict[str, Any]] | None = None
) -> bytes:
    event: dict[str, Any] = {
        "timestamp": 1594081854017,
        "webhookEvent": f"jira:{name}",
        "issue": {"id": issue, "key": key, "fields": {"summary": "Confidential"}},
    }
    if items is not None:
        event["changelog"] = {"id": "1", "items": items}
    return json.dumps(event).encode()


def signature(raw: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
