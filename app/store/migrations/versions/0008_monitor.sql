-- Issues whose changelog the monitor has to read: dirty means generation > done.
CREATE TABLE monitor_issues (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    issue_id bigint NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    done bigint NOT NULL DEFAULT 0,
    -- Jira's own word for when it changed, as the poll that raised it last saw it.
    updated text,
    -- Removals before this were judged; null means none was.
    judged_until timestamptz,
    -- A claim moves this forward as its lease, a failure as its back-off.
    due_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, issue_id)
) WITH (fillfactor = 80);
CREATE INDEX monitor_issues_due ON monitor_issues (due_at) WHERE generation > done;
CREATE INDEX monitor_issues_judged ON monitor_issues (judged_until) WHERE generation = done;

-- Since when a site's account is ours alone: what it removed before is nobody's business here.
CREATE TABLE monitor_sites (
    site_id bigint PRIMARY KEY REFERENCES sites ON DELETE CASCADE,
    since timestamptz NOT NULL
);

-- How far the inbox was taken, and what was taken beyond: its ids do not commit in order.
CREATE TABLE monitor_mark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    inbox_id bigint NOT NULL DEFAULT 0
);
INSERT INTO monitor_mark DEFAULT VALUES;
CREATE TABLE monitor_deliveries (
    inbox_id bigint PRIMARY KEY,
    received_at timestamptz NOT NULL
);
CREATE INDEX inbox_link_deleted ON inbox (id) WHERE kind = 'link_deleted';

-- Removals by our account that are not accounted for, each once although both ends tell of it.
CREATE TABLE monitor_findings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Without a foreign key: a site may go, what was found there stays.
    site_id bigint NOT NULL,
    -- Type and ends, by id where known.
    place text NOT NULL,
    issue_id bigint NOT NULL,
    history_id text NOT NULL,
    removed_at timestamptz NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('unaudited', 'denied', 'unmanaged', 'unclear')),
    found_at timestamptz NOT NULL
);
CREATE INDEX monitor_findings_place ON monitor_findings (site_id, place, removed_at);

-- Approved plans that take over links which another account made.
ALTER TABLE plan_changes DROP CONSTRAINT plan_changes_operation_check;
ALTER TABLE plan_changes ADD CONSTRAINT plan_changes_operation_check
    CHECK (operation IN ('create', 'remove', 'adopt'));

-- With it accounts are stored: equal ones are found, and none can be told.
CREATE TABLE account_salt (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    salt uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO account_salt DEFAULT VALUES;

CREATE TABLE adoptions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    plan_id bigint NOT NULL UNIQUE REFERENCES plans,
    -- Keyed, never as Jira gives it.
    account text NOT NULL CHECK (account ~ '^[0-9a-f]{64}$'),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > since),
    -- The last ledger row that was examined.
    cursor bigint NOT NULL DEFAULT 0,
    adoptable integer NOT NULL DEFAULT 0,
    requested_by text NOT NULL,
    created_at timestamptz NOT NULL,
    sealed_at timestamptz,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0
);
CREATE INDEX adoptions_connection ON adoptions (connection_id, id);
CREATE INDEX plans_adopting ON plans (id)
    WHERE kind = 'adoption' AND status IN ('gathering', 'applying');

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON monitor_issues, monitor_sites, monitor_deliveries
            TO twinlink_run;
        GRANT SELECT, UPDATE ON monitor_mark TO twinlink_run;
        GRANT SELECT, INSERT ON monitor_findings TO twinlink_run;
        GRANT SELECT ON account_salt TO twinlink_run;
        GRANT SELECT, INSERT, UPDATE ON adoptions TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
