"""What only the construction can get wrong."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.core.errors import NotSent
from app.core.links import IssueId, TypeId
from app.jira.client import BearerAuth
from app.settings import Settings
from app.sync.sites.access import seal_auth
from app.wiring import open_services
from tests.support.deliveries import home


async def test_a_request_is_late_by_the_clock_that_its_intent_was_made_by(
    settings: Settings, db: asyncpg.Pool
) -> None:
    """PostgreSQL's. By a machine's own that is behind, it would leave after its confirmation."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    async with open_services(settings, clock=lambda: ahead) as services:
        site = await db.fetchval(
            """INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
                   webhook_secret_sealed)
               VALUES ('left', 'http://127.0.0.1:1', 'cloud', 'bearer', $1, '') RETURNING id""",
            seal_auth(BearerAuth("token"), services.vault, home("left", "http://127.0.0.1:1")),
        )
        services.permit.grant()
        client = await services.sites.client(site)
        with pytest.raises(NotSent) as refused:
            await client.create_link(
                TypeId("1"),
                IssueId("2"),
                IssueId("3"),
                send_before=ahead - timedelta(minutes=1),
            )
        assert refused.value.code == "send_before_passed"
