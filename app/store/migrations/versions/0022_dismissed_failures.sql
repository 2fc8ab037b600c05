-- What a person has dismissed: the failure that it was, for another one shows again, and why.
ALTER TABLE work
    ADD COLUMN IF NOT EXISTS dismissed_failure text,
    ADD COLUMN IF NOT EXISTS dismissed_reason text,
    ADD COLUMN IF NOT EXISTS dismissed_by text,
    ADD COLUMN IF NOT EXISTS dismissed_at timestamptz;
