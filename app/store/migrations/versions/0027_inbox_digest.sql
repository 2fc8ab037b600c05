-- The first half of the body's SHA-256: what was delivered once is known under any identifier.
ALTER TABLE inbox ADD COLUMN digest bytea CHECK (octet_length(digest) = 16);
CREATE UNIQUE INDEX inbox_digest ON inbox (site_id, digest) WHERE digest IS NOT NULL;
