-- Where a connection asks for two owners: who approved first.
ALTER TABLE plans ADD COLUMN approved_by text, ADD COLUMN approved_at timestamptz;

-- Since when nothing was written, over pauses that overlap; and the comparison that begins after
-- a long one: until it has ended well, every removal is held.
ALTER TABLE connections
    ADD COLUMN idle_since timestamptz,
    ADD COLUMN first_pass_resync bigint REFERENCES resyncs ON DELETE SET NULL;
UPDATE connections c SET idle_since = least(c.paused_at, (SELECT paused_at FROM installation))
    WHERE c.deleted_at IS NULL;
