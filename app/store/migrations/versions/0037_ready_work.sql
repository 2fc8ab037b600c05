-- A claim finds the connections that have work with one probe each, and reads no pair of those that
-- are paused. The index by time alone made every claim read all that waited at paused connections.
CREATE INDEX work_ready ON work (bulk, connection_id, due_at)
    WHERE generation > done AND failed_at IS NULL;
DROP INDEX work_dirty;
CREATE INDEX discoveries_ready ON discoveries (connection_id, due_at);
DROP INDEX discoveries_due;
