-- Duties that the whole installation has once, whatever the number of its workers: when each is due
-- next, and when a worker took it last.
CREATE TABLE duties (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL,
    taken_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What the duties wait for, found without reading what is over.
CREATE INDEX plans_to_do ON plans (id) WHERE status IN ('gathering', 'applying');
CREATE INDEX plans_expiring ON plans (expires_at) WHERE status IN ('held', 'approved', 'applying');
CREATE INDEX vanished_mirrors_withheld ON vanished_mirrors (connection_id, plan_after)
    WHERE counted_at IS NULL;
CREATE INDEX audit_verifications_open ON audit_verifications (id)
    WHERE status IN ('queued', 'running');
-- Waiting and failed pairs are few; the service asks for them often.
CREATE INDEX work_waiting ON work (connection_id) WHERE waiting IS NOT NULL;
CREATE INDEX work_failed ON work (connection_id, twin_id) WHERE failed_at IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON duties TO twinlink_run;
    END IF;
END $$;
