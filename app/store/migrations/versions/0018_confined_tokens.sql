-- Confinement is to ids: a name may be given to another connection later, an id never is. Null
-- means all connections; an empty array means none, as after the last one was deleted.
ALTER TABLE tokens ADD COLUMN IF NOT EXISTS confined_to bigint[];

-- A name that no connection has now reaches nothing, also when it is given later.
DO $$ BEGIN
    IF EXISTS (SELECT FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name = 'tokens'
                 AND column_name = 'connections') THEN
        UPDATE tokens t SET confined_to = ARRAY(
            SELECT c.id FROM connections c
            WHERE c.name = ANY(t.connections) AND c.deleted_at IS NULL
              AND c.created_at <= t.created_at ORDER BY c.id)
        WHERE t.connections IS NOT NULL;
        ALTER TABLE tokens DROP COLUMN connections;
    END IF;
END $$;
