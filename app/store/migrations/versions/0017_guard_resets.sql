-- Each reset opens fresh windows, so their number within a day is bounded. Append-only.
CREATE TABLE guard_resets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES connections,
    at timestamptz NOT NULL,
    reset_by text NOT NULL,
    -- What had tripped the guard; null: it was armed.
    tripped_by text
);
CREATE INDEX guard_resets_connection ON guard_resets (connection_id, at);

-- How many owners have to approve, as it was when the plan was sealed; null: not sealed yet.
ALTER TABLE plans ADD COLUMN owners integer CHECK (owners IN (1, 2));
UPDATE plans p SET owners = (
    SELECT coalesce(max((v.config ->> 'approvals')::integer), 1)
    FROM connections c JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
    WHERE c.id = p.connection_id
       OR c.id IN (SELECT x.connection_id FROM plan_changes x WHERE x.plan_id = p.id))
WHERE p.status IN ('held', 'approved');

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT ON guard_resets TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
