-- Of deliveries that were refused: when the last one came; and, where a connection of the site has
-- to wait for its comparison, since which refusal it is owed and when it is allowed.
ALTER TABLE sites
    ADD COLUMN rejected_last timestamptz,
    ADD COLUMN comparison_since timestamptz,
    ADD COLUMN comparison_due_at timestamptz,
    ADD CONSTRAINT comparison_owed CHECK ((comparison_since IS NULL) = (comparison_due_at IS NULL));
CREATE INDEX resyncs_connection_cause ON resyncs (connection_id, cause, created_at)
    WHERE cause = 'rejected_deliveries';
