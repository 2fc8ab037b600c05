-- Worker processes, each with its last sign of life.
CREATE TABLE workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host text NOT NULL,
    engine text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
