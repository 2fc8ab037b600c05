-- Sessions of the console. A session is the sign-in of one token: it sees and does what that token
-- may, and ends with it. Only a hash of the cookie is kept. ``token_id`` is null for the
-- administrator's token of the environment, whose hash must still be the one in force.
CREATE TABLE IF NOT EXISTS sessions (
    hash bytea PRIMARY KEY,
    token_id bigint REFERENCES tokens,
    token_hash bytea NOT NULL,
    owner text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner);
CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires_at);
-- A link that signs in once, within minutes: what `twinlink up` prints.
CREATE TABLE IF NOT EXISTS sign_in_links (
    hash bytea PRIMARY KEY,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
-- How many links were made and removed in each hour: a chart of a year reads what it draws.
CREATE TABLE IF NOT EXISTS activity_hours (
    connection_id bigint NOT NULL REFERENCES connections,
    hour timestamptz NOT NULL,
    created integer NOT NULL DEFAULT 0,
    removed integer NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, hour)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, sign_in_links TO twinlink_run;
        GRANT SELECT, INSERT, UPDATE ON activity_hours TO twinlink_run;
    END IF;
END $$;
