-- Projects of connections whose search Jira refuses us, since when, as the last poll found.
CREATE TABLE IF NOT EXISTS unseen_projects (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    project text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (site_id, project)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON unseen_projects TO twinlink_run;
    END IF;
END $$;
