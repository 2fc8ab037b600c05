-- What the guard counts under a connection's lock, kept in the transactions that change it: a count
-- over all links of a connection, or over all that it wrote in a day, grows with its size. The
-- database keeps them, so that no way of writing can forget to.
CREATE TABLE link_counts (
    connection_id bigint NOT NULL REFERENCES connections,
    state text NOT NULL,
    links bigint NOT NULL,
    PRIMARY KEY (connection_id, state)
) WITH (fillfactor = 50);

-- Writes that acted, by the minute in which their intent was made; kept as long as a window reaches.
CREATE TABLE write_minutes (
    connection_id bigint NOT NULL REFERENCES connections,
    minute timestamptz NOT NULL,
    created integer NOT NULL,
    removed integer NOT NULL,
    PRIMARY KEY (connection_id, minute)
) WITH (fillfactor = 80);

INSERT INTO link_counts (connection_id, state, links)
SELECT connection_id, state, count(*) FROM ledger GROUP BY 1, 2;
INSERT INTO write_minutes (connection_id, minute, created, removed)
SELECT connection_id, date_trunc('minute', created_at, 'UTC'),
    count(*) FILTER (WHERE operation = 'create'), count(*) FILTER (WHERE operation = 'remove')
FROM intents WHERE state = 'applied' AND created_at > now() - interval '2 days' GROUP BY 1, 2;

-- The transition tables of an insert hold no former rows, those of a deletion no later ones.
CREATE FUNCTION count_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO link_counts AS c (connection_id, state, links)
        SELECT connection_id, state, count(*) FROM later GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (connection_id, state) DO UPDATE SET links = c.links + excluded.links;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO link_counts AS c (connection_id, state, links)
        SELECT connection_id, state, -count(*) FROM former GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (connection_id, state) DO UPDATE SET links = c.links + excluded.links;
    ELSE
        INSERT INTO link_counts AS c (connection_id, state, links)
        SELECT connection_id, state, sum(n) FROM (
            SELECT connection_id, state, 1 AS n FROM later
            UNION ALL SELECT connection_id, state, -1 FROM former) changes
        GROUP BY 1, 2 HAVING sum(n) <> 0 ORDER BY 1, 2
        ON CONFLICT (connection_id, state) DO UPDATE SET links = c.links + excluded.links;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_inserted AFTER INSERT ON ledger
    REFERENCING NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION count_links();
CREATE TRIGGER ledger_changed AFTER UPDATE ON ledger
    REFERENCING OLD TABLE AS former NEW TABLE AS later
    FOR EACH STATEMENT EXECUTE FUNCTION count_links();
CREATE TRIGGER ledger_deleted AFTER DELETE ON ledger
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION count_links();

-- An intent is open when it is made, and gone long after its minute.
CREATE FUNCTION count_applied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO write_minutes AS m (connection_id, minute, created, removed)
    SELECT connection_id, date_trunc('minute', created_at, 'UTC'),
        coalesce(sum(n) FILTER (WHERE operation = 'create'), 0),
        coalesce(sum(n) FILTER (WHERE operation = 'remove'), 0)
    FROM (
        SELECT connection_id, created_at, operation, 1 AS n FROM later WHERE state = 'applied'
        UNION ALL
        SELECT connection_id, created_at, operation, -1 FROM former WHERE state = 'applied') changes
    GROUP BY 1, 2
    HAVING coalesce(sum(n) FILTER (WHERE operation = 'create'), 0) <> 0
        OR coalesce(sum(n) FILTER (WHERE operation = 'remove'), 0) <> 0
    ORDER BY 1, 2
    ON CONFLICT (connection_id, minute) DO UPDATE SET
        created = m.created + excluded.created, removed = m.removed + excluded.removed;
    RETURN NULL;
END $$;
CREATE TRIGGER intents_changed AFTER UPDATE ON intents
    REFERENCING OLD TABLE AS former NEW TABLE AS later
    FOR EACH STATEMENT EXECUTE FUNCTION count_applied();

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON link_counts, write_minutes TO twinlink_run;
    END IF;
END $$;
