-- A link that two owners adopted was made by another account: its author says so, wherever it is removed.
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT conname FROM pg_constraint WHERE conrelid = 'ledger'::regclass
        AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%authorship%'
    LOOP
        EXECUTE format('ALTER TABLE ledger DROP CONSTRAINT %I', named);
    END LOOP;
END $$;
ALTER TABLE ledger ADD CONSTRAINT ledger_authorship
    CHECK (authorship IN ('ours', 'adopted', 'theirs', 'unknown'));
-- Managed means: made by us or adopted as far as we can tell, and known by id.
ALTER TABLE ledger ADD CONSTRAINT ledger_managed_known
    CHECK (state <> 'managed' OR (authorship IN ('ours', 'adopted', 'unknown')
        AND CASE origin WHEN 'left' THEN right_link_id ELSE left_link_id END IS NOT NULL));

UPDATE ledger l SET authorship = 'adopted', version = version + 1 FROM made_links m
WHERE l.authorship = 'ours' AND m.adopted AND m.site_id = l.mirror_site_id
  AND m.link_id = CASE l.origin WHEN 'left' THEN l.right_link_id ELSE l.left_link_id END;
