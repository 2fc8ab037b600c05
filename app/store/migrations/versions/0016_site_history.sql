-- Accounts that were ours on a site, each with its time: what they made is ours for that time.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS account_since timestamptz;
ALTER TABLE sites ADD COLUMN IF NOT EXISTS former_accounts jsonb NOT NULL DEFAULT '[]';

-- How link types were worded before they were renamed: changelogs keep the old wording for ever.
CREATE TABLE IF NOT EXISTS former_wordings (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    type_id bigint NOT NULL,
    inward text NOT NULL,
    outward text NOT NULL,
    PRIMARY KEY (site_id, type_id, inward, outward)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON former_wordings TO twinlink_run;
    END IF;
END $$;
