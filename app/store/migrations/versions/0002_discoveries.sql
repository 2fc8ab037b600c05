-- Issues whose twin field wants another look, raised by webhooks of connections that pair by field.
CREATE TABLE discoveries (
    connection_id bigint NOT NULL REFERENCES connections,
    side text NOT NULL CHECK (side IN ('left', 'right')),
    issue_id bigint NOT NULL,
    -- The delivery that raised it last.
    cause text NOT NULL,
    -- Moves on with every event: delete a row only at the generation that was looked at.
    generation bigint NOT NULL DEFAULT 1,
    tries integer NOT NULL DEFAULT 0,
    -- A claim moves this forward as its lease, a failed look as its back-off.
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, side, issue_id)
);
CREATE INDEX discoveries_due ON discoveries (due_at);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON discoveries TO twinlink_run;
    END IF;
END $$;
