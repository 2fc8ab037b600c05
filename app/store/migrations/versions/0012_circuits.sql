-- Since when calls to this site are stopped because it fails; null: they are not.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS circuit_open_since timestamptz;
