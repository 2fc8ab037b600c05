-- A Jira that was restored gives link ids out again: the mirror that has an id now may vanish
-- though one that had it before did. Each takes a slot of its own.
ALTER TABLE made_links ADD COLUMN IF NOT EXISTS made_at timestamptz;

ALTER TABLE vanished_mirrors DROP CONSTRAINT vanished_mirrors_pkey;
ALTER TABLE vanished_mirrors ADD PRIMARY KEY (site_id, link_id, seen_at);
-- Withheld is only what has the id now.
CREATE UNIQUE INDEX vanished_mirrors_one_withheld ON vanished_mirrors (site_id, link_id)
    WHERE counted_at IS NULL;
