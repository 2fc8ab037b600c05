-- A write that was closed as not having acted, and of which something shows that it has: asked
-- again at suspected_at, until it is corrected or cleared.
ALTER TABLE intents ADD COLUMN suspected_at timestamptz, ADD COLUMN cleared_at timestamptz;
CREATE INDEX intents_suspected ON intents (suspected_at)
    WHERE suspected_at IS NOT NULL AND cleared_at IS NULL AND state IN ('noop', 'failed');
