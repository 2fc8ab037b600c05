"""What the role that the service runs as may do, table by table. The schema's owner is another."""

import asyncpg
import pytest

RUN = "twinlink_run"

# Written down beside the migrations on purpose: a grant that is too wide must not pass unseen, and
# a new table needs a line here. S select, I insert, U update, D delete; nothing else is granted.
RIGHTS = {
    # Append-only, or never taken back
    "audit": "SI",
    "revisions": "SI",
    "monitor_findings": "SI",
    "guard_resets": "SI",
    "secrets_bound": "SI",
    "recorded_decisions": "SID",
    "audit_heads": "SIU",
    "connections": "SIU",
    "incidents": "SIU",
    "incident_updates": "SIU",
    "engine_starts": "SIU",
    "engines": "SIU",
    "restores": "SIU",
    "adoptions": "SIU",
    "rehomings": "SIU",
    "activity_hours": "SIU",
    # Made by the migration
    "alembic_version": "S",
    "account_salt": "S",
    "monitor_mark": "SU",
    # Where the work is
    **dict.fromkeys(
        (
            "audit_verifications", "discoveries", "duties", "former_twins", "former_wordings",
            "idempotency", "inbox", "installation", "intents",
            "ledger", "link_counts", "link_types", "made_links", "monitor_deliveries",
            "monitor_issues",
            "monitor_sites",
            "notification_keys", "notification_sends", "notification_targets", "notifications",
            "plan_changes", "plans", "poll_marks", "project_pins", "publication_updates",
            "recorded_decision_days",
            "publications",
            "resync_pairs", "resyncs", "revision_changes",
            "sessions", "sign_in_links", "sites", "stray_deliveries", "tokens",
            "twin_claims", "twins", "unseen_projects",
            "vanished_mirrors", "work", "workers", "write_minutes",
        ),
        "SIUD",
    ),
}  # fmt: skip
LETTERS = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}
NEVER = ("TRUNCATE", "REFERENCES", "TRIGGER")


async def test_every_table_and_every_right(db: asyncpg.Pool) -> None:
    rows = await db.fetch(
        """SELECT relname, array_agg(word) AS words
           FROM pg_class, unnest($1::text[]) AS word
           WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
             AND has_table_privilege($2, pg_class.oid, word)
           GROUP BY relname""",
        [*LETTERS, *NEVER],
        RUN,
    )
    found = {row["relname"]: set(row["words"]) for row in rows}
    rows = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {row["tablename"] for row in rows}
    assert tables == RIGHTS.keys()
    for table, letters in RIGHTS.items():
        expected = {word for word, letter in LETTERS.items() if letter in letters}
        assert found.get(table) == expected, table


async def test_it_owns_nothing_and_is_nobody_else(db: asyncpg.Pool) -> None:
    role = await db.fetchrow(
        """SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
           FROM pg_roles WHERE rolname = $1""",
        RUN,
    )
    assert role is not None
    assert not any(role.values())
    for query in (
        "SELECT count(*) FROM pg_class WHERE relowner = $1::regrole",
        "SELECT count(*) FROM pg_proc WHERE proowner = $1::regrole",
        "SELECT count(*) FROM pg_auth_members WHERE member = $1::regrole",
        "SELECT has_schema_privilege($1::regrole, 'public', 'CREATE')::int",
        "SELECT has_database_privilege($1::regrole, current_database(), 'CREATE')::int",
        """SELECT count(*) FROM pg_sequences WHERE schemaname = 'public'
           AND has_sequence_privilege($1::regrole, sequencename, 'UPDATE')""",
        # What runs as its owner would lend the owner's rights.
        """SELECT count(*) FROM pg_proc WHERE prosecdef AND $1::text <> ''
           AND pronamespace = 'public'::regnamespace""",
    ):
        assert await db.fetchval(query, RUN) == 0, query


REFUSED = (
    "UPDATE audit SET actor = 'nobody'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "TRUNCATE audit CASCADE",
    "TRUNCATE connections CASCADE",
    "ALTER TABLE audit DISABLE TRIGGER audit_no_change",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "ALTER TABLE audit OWNER TO twinlink_run",
    "ALTER TABLE audit RENAME TO audit_gone",
    "ALTER TABLE audit DROP COLUMN hash",
    "DROP TRIGGER audit_no_change ON audit",
    "DROP TABLE audit",
    "CREATE RULE quiet AS ON INSERT TO audit DO INSTEAD NOTHING",
    """CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql
       AS $$BEGIN RETURN NEW; END$$""",
    "DROP FUNCTION audit_is_append_only() CASCADE",
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
    "CREATE TABLE mine (id int)",
    "SET session_replication_role = 'replica'",
    "SET ROLE twinlink_migrate",
    "SET SESSION AUTHORIZATION twinlink_migrate",
    "COPY audit TO PROGRAM 'cat'",
    "UPDATE alembic_version SET version_num = '0'",
    "DELETE FROM revisions",
    "UPDATE revisions SET note = 'x'",
    "DELETE FROM audit_heads",
    "DELETE FROM secrets_bound",
    "UPDATE secrets_bound SET bound_at = now()",
    "UPDATE account_salt SET salt = gen_random_uuid()",
)


@pytest.mark.parametrize("statement", REFUSED)
async def test_what_the_service_is_refused(db: asyncpg.Pool, statement: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidObjectDefinitionError)):
        await db.execute(statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_what_its_owner_is_refused(
    db: asyncpg.Pool, migrate_url: str, statement: str
) -> None:
    """By triggers, which an owner can switch off: not by a slip, and the chain would show it."""
    await db.execute(
        """WITH s AS (INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
               webhook_secret_sealed)
             SELECT 's' || n, 'https://x.example', 'cloud', 'basic', '', ''
             FROM generate_series(1, 2) n RETURNING id),
           c AS (INSERT INTO connections (name, left_site_id, right_site_id, revision)
             SELECT 'c', min(id), max(id), 1 FROM s RETURNING id)
           INSERT INTO audit (connection_id, seq, at, connection, site, operation, status, type_id,
             type, source_id, source_key, destination_id, destination_key, managed, cause_kind,
             cause_id, revision, engine, evidence, actor, prev_hash, hash)
           SELECT id, 1, now(), 'c', 's', 'create', 'intended', 1, 't', 1, 'A-1', 2, 'A-2', true,
             'poll', '', 1, 'e', '{}', 'a', '', '' FROM c"""
    )
    owner = await asyncpg.connect(migrate_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(statement)
    finally:
        await owner.close()
    assert await db.fetchval("SELECT count(*) FROM audit") == 1
