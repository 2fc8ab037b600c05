-- Mirrors of ours that somebody else removed. Each takes a slot of the guard's windows once, in
-- the transaction that detaches it or makes it anew; above the limit neither is done.
CREATE TABLE vanished_mirrors (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    -- Jira gives no link id twice: a mirror vanishes once.
    link_id bigint NOT NULL,
    connection_id bigint NOT NULL REFERENCES connections,
    type_id bigint NOT NULL,
    source_id bigint NOT NULL,
    source_key text NOT NULL,
    destination_id bigint NOT NULL,
    destination_key text NOT NULL,
    left_type_id bigint NOT NULL,
    source_twin_id bigint NOT NULL,
    destination_twin_id bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    -- Since when it has its slot; null: withheld, its row is as it was.
    counted_at timestamptz,
    -- The plan that would put it back, and not before when another one may be made.
    plan_id bigint REFERENCES plans,
    plan_after timestamptz NOT NULL,
    PRIMARY KEY (site_id, link_id)
);
CREATE INDEX vanished_mirrors_guard ON vanished_mirrors (connection_id, counted_at);
CREATE INDEX vanished_mirrors_site ON vanished_mirrors (site_id, counted_at);
CREATE INDEX vanished_mirrors_plan ON vanished_mirrors (plan_id) WHERE plan_id IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON vanished_mirrors TO twinlink_run;
    END IF;
END $$;
