-- Each version of the service that began to work on this database, and how the decisions that were
-- recorded before it came out under it. One that differs writes nothing until it is accepted.
CREATE TABLE engines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engine text NOT NULL UNIQUE,
    seen_at timestamptz NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('agrees', 'differs', 'accepted')),
    compared bigint NOT NULL,
    unreadable bigint NOT NULL,
    -- Of the differences, as a person accepts them.
    digest text NOT NULL,
    differences jsonb NOT NULL,
    accepted_at timestamptz,
    accepted_by text,
    CHECK ((verdict = 'accepted') = (accepted_at IS NOT NULL)),
    CHECK ((verdict = 'accepted') = (accepted_by IS NOT NULL))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE ON engines TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
