-- Deliveries that reach no site or cannot be checked. By name: the site may be gone.
CREATE TABLE stray_deliveries (
    site text NOT NULL,
    fault text NOT NULL CHECK (fault IN ('path', 'deleted', 'unsigned')),
    total bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (site, fault)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON stray_deliveries TO twinlink_run;
    END IF;
END $$;
