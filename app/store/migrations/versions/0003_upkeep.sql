-- What a poll has seen of an issue, so that the overlap of two polls does not raise it again.
CREATE TABLE poll_marks (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    issue_id bigint NOT NULL,
    -- A digest of key, project and link ids.
    mark bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, issue_id)
);
CREATE INDEX poll_marks_seen ON poll_marks (seen_at);

-- The claim under which an issue is looked at: a row that was deleted and raised again in the
-- meantime starts at the same generation, but never with the same fence.
ALTER TABLE discoveries ADD COLUMN fence bigint NOT NULL DEFAULT 0;

-- A verifier that died leaves its request to the next one.
ALTER TABLE audit_verifications ADD COLUMN lease_until timestamptz;

-- Deletions are few; without this, asking for one reads fourteen days of deliveries.
CREATE INDEX inbox_deleted ON inbox (site_id, issue_id) WHERE kind = 'issue_deleted';

-- Claims that contend, or wait for their target to appear, among many that are paired.
CREATE INDEX twin_claims_unpaired ON twin_claims (connection_id, claimed_key)
    WHERE status <> 'paired';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON poll_marks TO twinlink_run;
    END IF;
END $$;
