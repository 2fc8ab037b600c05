-- The start of the last poll that reached far back: some indexes lag for hours.
ALTER TABLE sites ADD COLUMN widely_polled_at timestamptz;
