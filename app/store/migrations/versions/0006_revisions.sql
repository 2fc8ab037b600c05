-- A revision in shadow is stored and tried, but never the one that a connection works by.
ALTER TABLE revisions ADD COLUMN rollout text NOT NULL DEFAULT 'full'
    CHECK (rollout IN ('shadow', 'full'));

-- A dry run that tries revision out beside the one that was active when it began.
ALTER TABLE resyncs
    ADD COLUMN revision integer,
    ADD COLUMN against integer,
    ADD CHECK ((revision IS NULL) = (against IS NULL) AND (revision IS NULL OR dry_run)),
    ADD FOREIGN KEY (connection_id, revision) REFERENCES revisions;
CREATE UNIQUE INDEX resyncs_revision ON resyncs (connection_id, revision)
    WHERE revision IS NOT NULL;

-- How the plan of a revision in shadow differs from that of the active one.
CREATE TABLE revision_changes (
    connection_id bigint NOT NULL,
    revision integer NOT NULL,
    -- more: only the revision in shadow would do it; less: only the active one would.
    effect text NOT NULL CHECK (effect IN ('more', 'less')),
    operation text NOT NULL CHECK (operation IN ('create', 'remove')),
    site_id bigint NOT NULL REFERENCES sites,
    type_id bigint NOT NULL,
    source_id bigint NOT NULL,
    source_key text NOT NULL,
    destination_id bigint NOT NULL,
    destination_key text NOT NULL,
    link_id bigint,
    reason text NOT NULL,
    PRIMARY KEY (connection_id, revision, effect, operation, site_id, type_id, source_id,
        destination_id),
    FOREIGN KEY (connection_id, revision) REFERENCES revisions
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON revision_changes TO twinlink_run;
    END IF;
END $$;
