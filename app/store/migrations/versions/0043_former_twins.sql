-- Pairs that the service let go, by a twin field that names another issue or none. Their ledger rows
-- are suspended under the pair's id; the same pair coming back takes this id, and its rows resume.
CREATE TABLE former_twins (
    twin_id bigint PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    left_issue_id bigint NOT NULL,
    left_key text NOT NULL,
    right_issue_id bigint NOT NULL,
    right_key text NOT NULL,
    source text NOT NULL,
    version integer NOT NULL,
    let_go_at timestamptz NOT NULL,
    -- From then on its links are released.
    until timestamptz NOT NULL,
    UNIQUE (connection_id, left_issue_id, right_issue_id)
);
CREATE INDEX former_twins_until ON former_twins (until);

-- The plan that decides whether a suspended pair is let go; null: none does.
ALTER TABLE twins ADD COLUMN unpair_plan bigint REFERENCES plans;
CREATE INDEX twins_unpair_plan ON twins (unpair_plan) WHERE unpair_plan IS NOT NULL;

ALTER TABLE plans DROP CONSTRAINT plans_kind_check;
ALTER TABLE plans ADD CONSTRAINT plans_kind_check CHECK (kind IN
    ('removals', 'shadow', 'dry_run', 'restore', 'undo', 'rescue', 'adoption', 'unpairings'));
DROP INDEX plans_open;
CREATE UNIQUE INDEX plans_open ON plans (connection_id, kind)
    WHERE status IN ('gathering', 'shadow') AND kind IN ('removals', 'shadow', 'unpairings');
ALTER TABLE plan_changes DROP CONSTRAINT plan_changes_operation_check;
ALTER TABLE plan_changes ADD CONSTRAINT plan_changes_operation_check
    CHECK (operation IN ('create', 'remove', 'adopt', 'release'));

-- What was let go within the windows, and what persons released, counts in them.
CREATE INDEX ledger_let_go ON ledger (connection_id, changed_at)
    WHERE state = 'suspended' AND reason = 'letting_go';
CREATE INDEX audit_released ON audit (connection_id, at) WHERE operation = 'release';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON former_twins TO twinlink_run;
    END IF;
END $$;
