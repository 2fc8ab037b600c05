-- An incident is public only by a row here, and only with the words that a person gave.
CREATE TABLE publications (
    incident_id bigint PRIMARY KEY REFERENCES incidents,
    component text NOT NULL CHECK (component IN ('deliveries', 'links', 'removals')),
    impact text NOT NULL CHECK (impact IN ('none', 'minor', 'major', 'critical')),
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    published_at timestamptz NOT NULL,
    published_by text NOT NULL
);

CREATE TABLE publication_updates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES publications ON DELETE CASCADE,
    at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('investigating', 'identified', 'monitoring', 'resolved')),
    text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000)
);
CREATE INDEX publication_updates_incident ON publication_updates (incident_id, id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON publications, publication_updates TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
