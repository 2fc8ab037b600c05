-- A list, a restore or an explanation that names an issue reads what belongs to it, not a history.
CREATE INDEX IF NOT EXISTS twins_left_key ON twins (left_key, connection_id);
CREATE INDEX IF NOT EXISTS twins_right_key ON twins (right_key, connection_id);
CREATE INDEX IF NOT EXISTS audit_source_key ON audit (source_key, id);
CREATE INDEX IF NOT EXISTS audit_destination_key ON audit (destination_key, id);
CREATE INDEX IF NOT EXISTS audit_cause ON audit (cause_kind, cause_id, id);
CREATE INDEX IF NOT EXISTS audit_failed ON audit (id) WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS audit_link_id ON audit (link_id, id) WHERE link_id IS NOT NULL;
-- Link and issue ids repeat at every site: an index without the site reads all sites' rows.
CREATE INDEX IF NOT EXISTS audit_site_source ON audit (site, source_id, id);
CREATE INDEX IF NOT EXISTS audit_site_destination ON audit (site, destination_id, id);
DROP INDEX IF EXISTS audit_source;
DROP INDEX IF EXISTS audit_destination;
CREATE INDEX IF NOT EXISTS inbox_site ON inbox (site_id, id);
