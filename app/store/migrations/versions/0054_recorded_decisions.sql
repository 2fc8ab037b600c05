-- What the core decided from, so that a later version can decide it again (ADR 0028). Kept thirty
-- days. No key leads here or away, so that emptying the table is one TRUNCATE.
CREATE TABLE recorded_decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at timestamptz NOT NULL,
    connection_id bigint NOT NULL,
    revision integer NOT NULL,
    engine text NOT NULL,
    left_type text NOT NULL,
    source_twin bigint NOT NULL,
    destination_twin bigint NOT NULL,
    outcome text NOT NULL,
    row smallint NOT NULL,
    -- All of the decision, in one form: compared, not read.
    decision text NOT NULL,
    -- The format of `inputs`.
    version smallint NOT NULL,
    inputs text NOT NULL
);
CREATE INDEX recorded_decisions_decided_at ON recorded_decisions (decided_at);

-- How many a day had of each outcome, and how many of those were above the bound and are not kept.
-- Each outcome has a bound of its own: a day of many creations still shows its removals.
CREATE TABLE recorded_decision_days (
    connection_id bigint NOT NULL,
    day date NOT NULL,
    outcome text NOT NULL,
    seen bigint NOT NULL,
    dropped bigint NOT NULL,
    PRIMARY KEY (connection_id, day, outcome)
);
CREATE INDEX recorded_decision_days_day ON recorded_decision_days (day);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON recorded_decision_days TO twinlink_run;
        GRANT SELECT, INSERT, DELETE ON recorded_decisions TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
