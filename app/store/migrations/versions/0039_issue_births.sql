-- When the issues of a pair were made, as their sites say: with its id this tells an issue from
-- another one that a restored Jira has given the same id and key.
ALTER TABLE twins ADD COLUMN IF NOT EXISTS left_born timestamptz;
ALTER TABLE twins ADD COLUMN IF NOT EXISTS right_born timestamptz;
