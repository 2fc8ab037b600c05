-- What the keys of a configuration mean: the project that had the key when it was first seen, by
-- id, and the key that it has now.
CREATE TABLE IF NOT EXISTS project_pins (
    connection_id bigint NOT NULL REFERENCES connections ON DELETE CASCADE,
    side text NOT NULL CHECK (side IN ('left', 'right')),
    configured text NOT NULL,
    project_id bigint NOT NULL,
    key text NOT NULL,
    -- Keys that it had since: what it is called may change again and again.
    former text[] NOT NULL DEFAULT '{}',
    pinned_at timestamptz NOT NULL,
    PRIMARY KEY (connection_id, side, configured)
);

-- Pairs at rest are few as a rule; an incident opens when they are many.
CREATE INDEX IF NOT EXISTS twins_suspended ON twins (connection_id, suspended)
    WHERE suspended IS NOT NULL;
CREATE INDEX IF NOT EXISTS ledger_orphaned ON ledger (connection_id) WHERE state = 'orphaned';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON project_pins TO twinlink_run;
    END IF;
END $$;
-- When the issues of a pair were made, as their sites say: with its id this tells an issue from
-- another one that a restored Jira has given the same id and key.
ALTER TABLE twins ADD COLUMN IF NOT EXISTS left_born timestamptz;
ALTER TABLE twins ADD COLUMN IF NOT EXISTS right_born timestamptz;
