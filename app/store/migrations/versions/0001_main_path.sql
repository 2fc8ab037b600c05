-- The main path. Ids that Jira gives are bigint here and decimal text in the code.
-- Only metadata: identifiers, link types, mappings, times, causes. No issue content, no person.

CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    paused_at timestamptz,
    paused_by text
);

CREATE TABLE sites (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    base_url text NOT NULL,
    web_url text,
    deployment text NOT NULL CHECK (deployment IN ('cloud', 'datacenter')),
    auth_kind text NOT NULL CHECK (auth_kind IN ('basic', 'bearer')),
    auth_sealed bytea NOT NULL,
    webhook_secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_secret_until timestamptz,
    account_dedicated boolean NOT NULL DEFAULT false,
    identity text,
    account_id text,
    checked_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    rejected_total bigint NOT NULL DEFAULT 0,
    rejected_recent integer NOT NULL DEFAULT 0,
    rejected_since timestamptz,
    polled_until timestamptz,
    poll_due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Link types as each site spells them, refreshed by checks; the names are mappings, not content.
CREATE TABLE link_types (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    type_id bigint NOT NULL,
    name text NOT NULL,
    inward text NOT NULL,
    outward text NOT NULL,
    PRIMARY KEY (site_id, type_id)
);

CREATE TABLE connections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    left_site_id bigint NOT NULL REFERENCES sites,
    right_site_id bigint NOT NULL REFERENCES sites,
    revision integer NOT NULL,
    mode text NOT NULL DEFAULT 'shadow' CHECK (mode IN ('shadow', 'create_only', 'review', 'live')),
    paused_at timestamptz,
    paused_by text,
    guard_tripped_at timestamptz,
    guard_trip_reason text,
    guard_reset_at timestamptz NOT NULL DEFAULT now(),
    compared_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CHECK (left_site_id <> right_site_id)
);
-- A deleted connection keeps its row (its audit names it); the name is free again.
CREATE UNIQUE INDEX connections_name ON connections (name) WHERE deleted_at IS NULL;

CREATE TABLE revisions (
    connection_id bigint NOT NULL REFERENCES connections,
    revision integer NOT NULL,
    config jsonb NOT NULL,
    note text NOT NULL DEFAULT '',
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, revision)
);

CREATE TABLE twins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    left_site_id bigint NOT NULL REFERENCES sites,
    left_issue_id bigint NOT NULL,
    left_key text NOT NULL,
    right_site_id bigint NOT NULL REFERENCES sites,
    right_issue_id bigint NOT NULL,
    right_key text NOT NULL,
    source text NOT NULL CHECK (source IN ('api', 'field')),
    -- Why nothing is planned for this pair, such as "moved_out_of_scope"; null means in scope.
    suspended text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (connection_id, left_issue_id),
    UNIQUE (connection_id, right_issue_id)
);
CREATE INDEX twins_left ON twins (left_site_id, left_issue_id);
CREATE INDEX twins_right ON twins (right_site_id, right_issue_id);

-- Claims of a twin field that pair nothing, shown to people.
CREATE TABLE twin_claims (
    connection_id bigint NOT NULL REFERENCES connections,
    side text NOT NULL CHECK (side IN ('left', 'right')),
    issue_id bigint NOT NULL,
    issue_key text NOT NULL,
    claimed_key text NOT NULL,
    claimed_issue_id bigint,
    status text NOT NULL CHECK (status IN
        ('paired', 'unknown_issue', 'wrong_project', 'already_paired', 'ambiguous', 'error')),
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, side, issue_id)
);
CREATE INDEX twin_claims_target ON twin_claims (connection_id, claimed_issue_id);

-- One row per connection and link key. Source and destination follow the left side;
-- for a symmetric type the lower left issue id is the source.
CREATE TABLE ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    left_type_id bigint NOT NULL,
    right_type_id bigint NOT NULL,
    source_twin_id bigint NOT NULL,
    destination_twin_id bigint NOT NULL,
    left_source_id bigint NOT NULL,
    left_source_key text NOT NULL,
    left_destination_id bigint NOT NULL,
    left_destination_key text NOT NULL,
    right_source_id bigint NOT NULL,
    right_source_key text NOT NULL,
    right_destination_id bigint NOT NULL,
    right_destination_key text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('left', 'right')),
    state text NOT NULL CHECK (state IN
        ('managed', 'preexisting', 'detached', 'suspended', 'released', 'orphaned')),
    -- What a suspended or orphaned row returns to.
    former text CHECK (former IN ('managed', 'preexisting', 'detached')),
    authorship text CHECK (authorship IN ('ours', 'theirs', 'unknown')),
    -- Jira's Date of the read before our create: where a later look for the author begins.
    authored_after timestamptz,
    left_link_id bigint,
    right_link_id bigint,
    -- The physical key of the mirror, ends ordered where the type is symmetric.
    mirror_site_id bigint NOT NULL REFERENCES sites,
    mirror_type_id bigint NOT NULL,
    mirror_source_id bigint NOT NULL,
    mirror_destination_id bigint NOT NULL,
    reason text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    CHECK (source_twin_id <> destination_twin_id),
    -- Managed means: made by us as far as we can tell, and known by id.
    CHECK (state <> 'managed' OR (authorship IN ('ours', 'unknown')
        AND CASE origin WHEN 'left' THEN right_link_id ELSE left_link_id END IS NOT NULL))
);
CREATE UNIQUE INDEX ledger_key ON ledger
    (connection_id, left_type_id, source_twin_id, destination_twin_id) WHERE state <> 'released';
-- One managed row per physical link, across connections; a row at rest keeps its place.
CREATE UNIQUE INDEX ledger_managed ON ledger
    (mirror_site_id, mirror_type_id, mirror_source_id, mirror_destination_id)
    WHERE state = 'managed' OR (state IN ('suspended', 'orphaned') AND former = 'managed');
CREATE INDEX ledger_mirror ON ledger
    (mirror_site_id, mirror_type_id, mirror_source_id, mirror_destination_id);
CREATE INDEX ledger_destination ON ledger (connection_id, destination_twin_id);
CREATE INDEX ledger_source ON ledger (connection_id, source_twin_id);
CREATE INDEX ledger_left_link ON ledger (left_link_id);
CREATE INDEX ledger_right_link ON ledger (right_link_id);
CREATE INDEX ledger_state ON ledger (connection_id, state);

-- Accepted deliveries, metadata only; kept 14 days.
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id bigint NOT NULL REFERENCES sites,
    delivery text NOT NULL,
    kind text NOT NULL CHECK (kind IN
        ('link_created', 'link_deleted', 'issue_created', 'issue_updated', 'issue_deleted')),
    received_at timestamptz NOT NULL DEFAULT now(),
    occurred_at timestamptz,
    issue_id bigint,
    link_id bigint,
    type_id bigint,
    source_id bigint,
    destination_id bigint,
    fields text[] NOT NULL DEFAULT '{}',
    UNIQUE (site_id, delivery)
);
CREATE INDEX inbox_received ON inbox (received_at);

-- Twin pairs that need another look. Dirty means generation > done.
CREATE TABLE work (
    connection_id bigint NOT NULL REFERENCES connections,
    twin_id bigint NOT NULL REFERENCES twins ON DELETE CASCADE,
    generation bigint NOT NULL DEFAULT 1,
    done bigint NOT NULL DEFAULT 0,
    -- True: read Jira. False: all that happened are the link events in causes, judge them first.
    look boolean NOT NULL,
    causes bigint[] NOT NULL DEFAULT '{}',
    bulk boolean NOT NULL DEFAULT false,
    cause_kind text NOT NULL CHECK (cause_kind IN ('webhook', 'poll', 'resync', 'twin', 'plan', 'confirm')),
    cause_id text NOT NULL DEFAULT '',
    dirty_since timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    -- The last look ended without knowing enough; the next event or comparison looks again.
    waiting text,
    failure text,
    failed_at timestamptz,
    PRIMARY KEY (connection_id, twin_id)
) WITH (fillfactor = 80);
CREATE INDEX work_dirty ON work (bulk, due_at) WHERE generation > done AND failed_at IS NULL;
CREATE INDEX work_twin ON work (twin_id);
CREATE SEQUENCE fences;

CREATE TABLE plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    kind text NOT NULL CHECK (kind IN ('removals', 'shadow', 'dry_run')),
    status text NOT NULL CHECK (status IN ('gathering', 'held', 'approved', 'applying', 'applied',
        'rejected', 'expired', 'shadow')),
    digest text,
    reason text NOT NULL DEFAULT '',
    revision integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sealed_at timestamptz,
    expires_at timestamptz,
    decided_at timestamptz,
    decided_by text,
    note text NOT NULL DEFAULT ''
);
CREATE INDEX plans_connection ON plans (connection_id, status);
-- One plan of each kind gathers at a time.
CREATE UNIQUE INDEX plans_open ON plans (connection_id, kind)
    WHERE status IN ('gathering', 'shadow') AND kind <> 'dry_run';

CREATE TABLE plan_changes (
    plan_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    operation text NOT NULL CHECK (operation IN ('create', 'remove')),
    site_id bigint NOT NULL REFERENCES sites,
    type_id bigint NOT NULL,
    source_id bigint NOT NULL,
    source_key text NOT NULL,
    destination_id bigint NOT NULL,
    destination_key text NOT NULL,
    link_id bigint,
    left_type_id bigint NOT NULL,
    source_twin_id bigint NOT NULL,
    destination_twin_id bigint NOT NULL,
    reason text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    result text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_id, site_id, type_id, source_id, destination_id, operation)
);
CREATE INDEX plan_changes_key ON plan_changes (left_type_id, source_twin_id, destination_twin_id);

-- At most one open intent per physical link, whatever connection wants it: intents are the lock.
CREATE TABLE intents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    site_id bigint NOT NULL REFERENCES sites,
    operation text NOT NULL CHECK (operation IN ('create', 'remove')),
    type_id bigint NOT NULL,
    source_id bigint NOT NULL,
    source_key text NOT NULL,
    destination_id bigint NOT NULL,
    destination_key text NOT NULL,
    key_source_id bigint NOT NULL,
    key_destination_id bigint NOT NULL,
    link_id bigint,
    left_type_id bigint NOT NULL,
    right_type_id bigint NOT NULL,
    source_twin_id bigint NOT NULL,
    destination_twin_id bigint NOT NULL,
    origin text NOT NULL CHECK (origin IN ('left', 'right')),
    origin_link_id bigint,
    origin_source_id bigint NOT NULL,
    origin_source_key text NOT NULL,
    origin_destination_id bigint NOT NULL,
    origin_destination_key text NOT NULL,
    ledger_id bigint,
    guarded boolean NOT NULL DEFAULT false,
    plan_id bigint REFERENCES plans,
    cause_kind text NOT NULL,
    cause_id text NOT NULL,
    revision integer NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'applied', 'noop', 'failed')),
    outcome text,
    read_at timestamptz,
    created_at timestamptz NOT NULL,
    send_before timestamptz NOT NULL,
    confirm_after timestamptz NOT NULL,
    confirm_tries integer NOT NULL DEFAULT 0,
    unconfirmed_since timestamptz,
    closed_at timestamptz,
    CHECK (operation = 'create' OR link_id IS NOT NULL),
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE UNIQUE INDEX intents_open ON intents (site_id, type_id, key_source_id, key_destination_id)
    WHERE state = 'open';
-- What was written to one link before: stale views and flapping show here.
CREATE INDEX intents_key ON intents
    (site_id, type_id, key_source_id, key_destination_id, created_at);
CREATE INDEX intents_confirm ON intents (confirm_after) WHERE state = 'open';
CREATE INDEX intents_guard ON intents (connection_id, created_at)
    WHERE operation = 'remove' AND guarded;
CREATE INDEX intents_site_removals ON intents (site_id, created_at)
    WHERE operation = 'remove' AND guarded;
CREATE INDEX intents_created ON intents (connection_id, created_at);
CREATE INDEX intents_link ON intents (site_id, link_id);

CREATE TABLE resyncs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN
        ('queued', 'running', 'held', 'succeeded', 'failed', 'cancelled')),
    dry_run boolean NOT NULL DEFAULT false,
    cause text NOT NULL DEFAULT 'request',
    -- Twins to look at; null means all of the connection.
    twin_ids bigint[],
    cursor bigint NOT NULL DEFAULT 0,
    issues_total integer NOT NULL DEFAULT 0,
    issues_done integer NOT NULL DEFAULT 0,
    created integer NOT NULL DEFAULT 0,
    removed integer NOT NULL DEFAULT 0,
    held integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    plan_id bigint REFERENCES plans,
    requested_by text NOT NULL DEFAULT '',
    cancel_requested boolean NOT NULL DEFAULT false,
    detail text NOT NULL DEFAULT '',
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX resyncs_open ON resyncs (id) WHERE status IN ('queued', 'running');

-- The pairs of a running resync whose look is not over yet; a finished one is counted and gone.
CREATE TABLE resync_pairs (
    resync_id bigint NOT NULL REFERENCES resyncs ON DELETE CASCADE,
    twin_id bigint NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (resync_id, twin_id)
);
CREATE INDEX resync_pairs_twin ON resync_pairs (twin_id);

CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'admin')),
    owner text NOT NULL,
    connections text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT '',
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE idempotency (
    token_id text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token_id, key)
);

CREATE TABLE audit_verifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'accepted', 'refused', 'failed')),
    rows bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    place jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- The head of each connection's chain; a chain shorter than its head was cut off.
CREATE TABLE audit_heads (
    connection_id bigint PRIMARY KEY REFERENCES connections,
    seq bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'
);

-- Append-only, hash-chained per connection. Intent and outcome are two rows; the last outcome counts.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    connection text NOT NULL,
    site text NOT NULL,
    operation text NOT NULL CHECK (operation IN ('create', 'remove', 'adopt', 'release')),
    status text NOT NULL CHECK (status IN ('intended', 'applied', 'noop', 'failed')),
    link_id bigint,
    type_id bigint NOT NULL,
    type text NOT NULL,
    source_id bigint NOT NULL,
    source_key text NOT NULL,
    destination_id bigint NOT NULL,
    destination_key text NOT NULL,
    managed boolean NOT NULL,
    cause_kind text NOT NULL,
    cause_id text NOT NULL,
    intent_id bigint,
    plan_id bigint,
    revision integer NOT NULL,
    engine text NOT NULL,
    evidence jsonb NOT NULL,
    actor text NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    UNIQUE (connection_id, seq)
);
CREATE INDEX audit_intent ON audit (intent_id);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_link ON audit (site, link_id);
CREATE INDEX audit_source ON audit (source_id);
CREATE INDEX audit_destination ON audit (destination_id);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- An owner who replays as a replica would skip ordinary triggers.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_change;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_truncate;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT USAGE ON SCHEMA public TO twinlink_run;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
        REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM twinlink_run;
        REVOKE DELETE ON audit_heads, revisions, connections FROM twinlink_run;
        REVOKE UPDATE ON revisions FROM twinlink_run;
        REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM twinlink_run;
    END IF;
END $$;
