-- Every link that the audit says we made or adopted, written in the transaction of its outcome and
-- kept for good: such a link is never an origin, whatever becomes of its row, in any connection.
CREATE TABLE made_links (
    site_id bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    link_id bigint NOT NULL,
    -- A link of this id with another type or other ends is another link.
    type_id bigint NOT NULL,
    source_id bigint NOT NULL,
    destination_id bigint NOT NULL,
    -- An adopted link's author is another account.
    adopted boolean NOT NULL DEFAULT false,
    -- Who made the link that has this id now is to be asked: its author was not known, or this
    -- Jira went back in time.
    doubted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site_id, link_id)
);

INSERT INTO made_links (site_id, link_id, type_id, source_id, destination_id, adopted, doubted)
SELECT DISTINCT ON (s.id, a.link_id) s.id, a.link_id, a.type_id, a.source_id, a.destination_id,
    a.operation = 'adopt', a.evidence ->> 'outcome' IS NOT DISTINCT FROM 'read_back_unknown'
FROM audit a JOIN sites s ON s.name = a.site
WHERE a.link_id IS NOT NULL AND a.managed AND a.status = 'applied'
  AND a.operation IN ('create', 'adopt')
ORDER BY s.id, a.link_id, a.id;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON made_links TO twinlink_run;
    END IF;
END $$;
