-- Plans that put back, take back or rescue links. Their changes may lie in several connections,
-- and need no twins: what is restored may be unpaired by now.
ALTER TABLE plans DROP CONSTRAINT plans_kind_check;
ALTER TABLE plans ADD CONSTRAINT plans_kind_check CHECK (kind IN
    ('removals', 'shadow', 'dry_run', 'restore', 'undo', 'rescue', 'adoption'));
-- What the guard left over of an approved undo: once approved itself, it goes outside the windows.
ALTER TABLE plans ADD COLUMN left_over_of bigint REFERENCES plans;
CREATE INDEX plans_left_over ON plans (left_over_of) WHERE left_over_of IS NOT NULL;
DROP INDEX plans_open;
CREATE UNIQUE INDEX plans_open ON plans (connection_id, kind)
    WHERE status IN ('gathering', 'shadow') AND kind IN ('removals', 'shadow');

ALTER TABLE plan_changes
    ALTER COLUMN left_type_id DROP NOT NULL,
    ALTER COLUMN source_twin_id DROP NOT NULL,
    ALTER COLUMN destination_twin_id DROP NOT NULL,
    -- Whose audit and ledger this change belongs to; null means the plan's own connection.
    ADD COLUMN connection_id bigint REFERENCES connections,
    -- False until Jira was asked whether it can be done at all.
    ADD COLUMN surveyed boolean NOT NULL DEFAULT true,
    -- A claim moves this forward as its lease, a failure as its back-off.
    ADD COLUMN due_at timestamptz,
    ADD COLUMN fence bigint NOT NULL DEFAULT 0,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    -- A reading after the write has shown it.
    ADD COLUMN verified boolean NOT NULL DEFAULT false;
CREATE INDEX plan_changes_open ON plan_changes (plan_id, due_at NULLS FIRST) WHERE result IS NULL;
CREATE INDEX plan_changes_connection ON plan_changes (connection_id)
    WHERE connection_id IS NOT NULL;

-- restore: comes back as ours, where twins allow; rescue: comes back unmanaged;
-- undo: goes, and its row is detached, so that its origin does not make it again.
ALTER TABLE intents ADD COLUMN purpose text NOT NULL DEFAULT 'sync'
    CHECK (purpose IN ('sync', 'restore', 'rescue', 'undo'));

CREATE TABLE restores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('restore', 'undo', 'rescue')),
    plan_id bigint NOT NULL UNIQUE REFERENCES plans,
    -- What was asked for: names, ids and times.
    asked jsonb NOT NULL,
    cause_kind text NOT NULL CHECK (cause_kind IN ('restore', 'rescue', 'rollback')),
    -- A rescue reads changelogs before there is anything to survey.
    site_id bigint REFERENCES sites,
    scanned boolean NOT NULL,
    -- Changelog entries that name no link that could be put back, by reason.
    unread jsonb NOT NULL DEFAULT '{}',
    restorable integer NOT NULL DEFAULT 0,
    requested_by text NOT NULL,
    created_at timestamptz NOT NULL,
    sealed_at timestamptz,
    -- Planning gave up.
    failure text,
    failed_at timestamptz,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    CHECK (kind <> 'rescue' OR site_id IS NOT NULL)
);
CREATE INDEX restores_planning ON restores (id) WHERE sealed_at IS NULL AND failed_at IS NULL;
-- What was removed or made under one revision, one plan or one cause.
CREATE INDEX audit_plan ON audit (plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX audit_revision ON audit (connection_id, revision);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE ON restores TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
