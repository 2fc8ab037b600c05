-- A connection whose site moved (Data Center to Cloud): what a new connection takes over by a plan.
ALTER TABLE plans DROP CONSTRAINT plans_kind_check;
ALTER TABLE plans ADD CONSTRAINT plans_kind_check CHECK (kind IN
    ('removals', 'shadow', 'dry_run', 'restore', 'undo', 'rescue', 'adoption', 'unpairings',
     'rehoming'));

CREATE TABLE rehomings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The connection of before, and the one that joins the new site.
    former_id bigint NOT NULL REFERENCES connections,
    connection_id bigint NOT NULL REFERENCES connections,
    side text NOT NULL CHECK (side IN ('left', 'right')),
    plan_id bigint NOT NULL UNIQUE REFERENCES plans,
    -- The last twin that was looked for, and the last ledger row that was judged.
    twin_cursor bigint NOT NULL DEFAULT 0,
    twins_paired boolean NOT NULL DEFAULT false,
    row_cursor bigint NOT NULL DEFAULT 0,
    requested_by text NOT NULL,
    created_at timestamptz NOT NULL,
    sealed_at timestamptz,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0
);
CREATE INDEX rehomings_former ON rehomings (former_id, id);
CREATE INDEX rehomings_connection ON rehomings (connection_id);
CREATE INDEX plans_rehoming ON plans (id)
    WHERE kind = 'rehoming' AND status IN ('gathering', 'applying');

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE ON rehomings TO twinlink_run;
    END IF;
END $$;
